"""What is stored under a job's key, and how a reader tells that it is ours.

An entry is a plain tuple of built-in types, so that any Python process can unpickle it without
importing this package, and so that the hit path needs no more than two index operations.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

MARK = "cacheback/1"
"""First element of every packed entry; changes with its layout, so that old layouts are misses."""

Packed = tuple[Any, ...]
_SHORT, _LONG = 5, 7
"""Most entries have no tags and were never invalidated, and go without these two fields."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached value and what is needed to judge it. Times are Unix timestamps in seconds."""

    value: Any
    fetched_at: float
    """When the fetch *began*: the value is not older than this, and may be as old."""
    fresh_until: float
    duration: float = 0.0
    """Seconds that the fetch took (XFetch needs it)."""
    tags: Mapping[str, str] | None = None
    """The stamp that each tag had when the fetch began."""
    invalidated_at: float | None = None

    @property
    def expiry(self) -> float:
        """When the value became or becomes stale."""
        return self.fresh_until if self.invalidated_at is None else self.invalidated_at

    def invalidated(self, now: float) -> Entry:
        """Return this entry marked stale; 0 is in the past on every host's clock."""
        if self.invalidated_at is not None:
            return self
        return replace(self, fresh_until=0.0, invalidated_at=min(now, self.fresh_until))

    def trace(self) -> bytes:
        """Return bytes that are near the end of this entry where it is pickled, and of no other.

        Pickles hold a float as "G" and eight bytes, and two that follow each other so.
        """
        return struct.pack(">cdcd", b"G", self.fetched_at, b"G", self.duration)

    def pack(self) -> Packed:
        """Return the tuple to store."""
        head = (
            MARK,
            float(self.fresh_until),
            self.value,
            float(self.fetched_at),
            float(self.duration),
        )
        if not self.tags and self.invalidated_at is None:
            return head
        return (*head, dict(self.tags) if self.tags else None, self.invalidated_at)


def unpack(packed: object) -> Entry | None:
    """Return the entry, or None when ``packed`` is anything that :meth:`Entry.pack` never made."""
    # A cache that serialises to JSON gives the tuple back as a list.
    if not isinstance(packed, (tuple, list)) or len(packed) not in (_SHORT, _LONG):
        return None
    mark, fresh_until, value, fetched_at, duration, *rest = packed
    tags, invalidated_at = rest or (None, None)
    numbers = (fresh_until, fetched_at, duration, 0.0 if invalidated_at is None else invalidated_at)
    is_ours = isinstance(mark, str) and mark == MARK
    if not (is_ours and all(type(number) is float for number in numbers) and _are_tags(tags)):
        return None
    return Entry(value, fetched_at, fresh_until, duration, tags, invalidated_at)


def _are_tags(tags: object) -> bool:
    if tags is None:
        return True
    return type(tags) is dict and all(type(x) is str for item in tags.items() for x in item)


def is_plainly_fresh(packed: object, now: float) -> bool:
    """Return whether ``packed`` may be served as it is, which is the whole decision of most hits.

    Its value is ``packed[2]``. An entry with tags or one that was invalidated never is; for
    anything else that is not, :func:`unpack` tells what it is.
    """
    return (
        type(packed) is tuple
        and len(packed) == _SHORT
        and type(packed[0]) is str
        and packed[0] == MARK
        and type(packed[1]) is float
        and packed[1] > now
    )
