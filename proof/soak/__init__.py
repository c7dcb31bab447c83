"""An hour's use in minutes: memory stays flat, and so does the number of keys in Redis."""
