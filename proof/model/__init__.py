"""A model checker for the claim protocol: every interleaving of a few callers, over the engine
itself."""
