"""The staff panel: what is cached, why, and how old; and buttons to act on it."""
