"""What ``get`` found: the cache statuses, as ``Job.MISS`` and the like tell them."""

from enum import IntEnum


class _Status(IntEnum):
    """0, 1 and 2, which are shown by their names."""

    MISS = 0
    HIT = 1
    STALE = 2

    def __repr__(self) -> str:
        return self.name


MISS: int = _Status.MISS
HIT: int = _Status.HIT
STALE: int = _Status.STALE
