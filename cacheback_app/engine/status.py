"""What ``get`` found: the cache statuses, as ``Job.MISS`` and the like tell them."""

MISS, HIT, STALE = range(3)
