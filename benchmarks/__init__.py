"""How fast it is, beside its ancestor and others: ``python -m benchmarks``."""
