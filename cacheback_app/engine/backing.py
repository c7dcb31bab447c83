"""A second, durable place for a job's values, which a flushed or restarted cache is filled from.

The cache remains what is asked first, and what decides: its lease says whether a fetched value may
be kept, in both places. ``sodarcache.jobs.ProjectJob`` is a job with a backing.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from cacheback_app.exceptions import CacheUnavailable

from .claims import lease_key, lease_ttl, new_token
from .entry import Entry, unpack
from .flow import Fetch, Flow, drive
from .state import ABSENT, ensure, look, put

if TYPE_CHECKING:
    from .slot import Call, Slot

T = TypeVar("T")

logger = logging.getLogger("cacheback")

_ATTEMPTS = 10
"""How often a restored value is put back while others change the key."""


class Backing(ABC):
    """Where the values of a job are kept besides the cache. Its methods may block."""

    @abstractmethod
    def load(self, call: Call) -> Entry | None:
        """Return what is kept for a call, None when there is nothing, or when that is not known."""

    @abstractmethod
    def save(
        self,
        call: Call,
        value: Any,
        fetched_at: float,
        commit: Callable[[], T],
        is_kept: Callable[[T], bool],
    ) -> T:
        """Keep ``value`` if ``commit``, which stores it in the cache, says so; return its result.

        Between what is written and what becomes of it, no other change of the same call may come.
        """

    @abstractmethod
    def invalidate(self, call: Call) -> None:
        """Mark what is kept as stale. A ``save`` that is under way comes before or after it."""

    @abstractmethod
    def delete(self, call: Call) -> None:
        """Remove what is kept. A ``save`` that is under way comes before or after it."""


def load(slot: Slot) -> Flow[Entry | None]:
    """Return what the backing keeps, unless it is too old to be served."""
    backing = slot.job._backing
    if backing is None:
        return None
    entry: Entry | None = yield Fetch(backing.load, (slot.call,), {})
    if entry is not None and (left := slot.ttl_left(entry)) is not None and left <= 0:
        return None
    return entry


def restore(slot: Slot, *, is_down: bool = False) -> Flow[Entry | None]:
    """Return what the backing keeps, and put it back into the cache.

    It is put there under a lease, as a fetched value is, so that what a ``set``, ``invalidate`` or
    ``delete`` has overtaken meanwhile does not come back.
    """
    if slot.job._backing is None:
        return None
    try:
        return (yield from (load(slot) if is_down else _restore(slot)))
    except CacheUnavailable:
        return (yield from load(slot))


def _restore(slot: Slot) -> Flow[Entry | None]:
    lease = lease_key(slot.key)
    for _ in range(_ATTEMPTS):
        before = yield slot.transact(
            [look(slot.key), ensure(lease, new_token(), lease_ttl(slot.claim_ttl))]
        )
        there = slot.job._readable(unpack(before.value(slot.key)))
        if there is not None and ((left := slot.ttl_left(there)) is None or left > 0):
            return there
        entry = yield from load(slot)
        if entry is None or before.raw(lease) is ABSENT:  # a cache that keeps nothing
            return entry
        packed = put(slot.key, entry.pack(), slot.ttl_left(entry), expect=before.raw(slot.key))
        outcome = yield slot.transact([look(lease, expect=before.raw(lease)), packed])
        if outcome.applied:
            return entry
    return None


def save(
    slot: Slot,
    value: Any,
    fetched_at: float,
    commit: Callable[[], Flow[T]],
    is_kept: Callable[[T], bool] = lambda result: True,
) -> Flow[T]:
    """Store in the cache, by ``commit``, and in the job's backing if it has one."""
    backing = slot.job._backing
    if backing is None:
        return (yield from commit())

    def commit_here() -> T:
        return drive(commit())

    result: T = yield Fetch(backing.save, (slot.call, value, fetched_at, commit_here, is_kept), {})
    return result
