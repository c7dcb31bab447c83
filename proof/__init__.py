"""What the protocol promises, put to the proof: ``python -m proof model|chaos|soak|fuzz``."""
