"""Models that the tests cache."""
