"""``serve``: as ``get``, and how fresh the value is, from one and the same read.

Asking a job for a value and then, a moment later, for its freshness may tell of a newer value than
the one in hand. Whoever passes both on (HTTP caches do) would call old content new.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from cacheback_app.durations import seconds
from cacheback_app.exceptions import CacheUnavailable

from . import explaining, reading
from .entry import Entry
from .flow import Flow
from .policy import Verdict
from .reading import Answer
from .slot import Slot
from .status import MISS


@dataclass(frozen=True, slots=True)
class Freshness:
    """From when a cached value is, and until when it will do. Unix timestamps in seconds."""

    fetched_at: float
    """When its fetch began."""
    arrived_at: float
    """When its fetch ended."""
    expiry: float
    """When it became or becomes stale."""
    serve_until: float
    """Until when the job serves it while it is being renewed; may be infinite."""
    keep_until: float
    """Until when the job serves it while renewing it fails; may be infinite."""

    @classmethod
    def of(cls, slot: Slot, entry: Entry) -> Freshness:
        """Return the freshness of what was read at ``slot``, by its job's options."""
        job, ttl = slot.job, slot.cache_ttl
        gone_at = math.inf if ttl is None else max(entry.expiry, entry.fetched_at + ttl)
        threshold = seconds(job.fetch_on_stale_threshold)
        too_old_at = math.inf if threshold is None else entry.fetched_at + threshold
        return cls(
            fetched_at=entry.fetched_at,
            arrived_at=entry.fetched_at + entry.duration,
            expiry=entry.expiry,
            serve_until=max(entry.expiry, min(gone_at, too_old_at)),
            keep_until=gone_at if job.stale_if_error else entry.expiry,
        )

    @property
    def age(self) -> float:
        """Seconds since the fetch began."""
        return max(0.0, time.time() - self.fetched_at)


@dataclass(frozen=True, slots=True)
class Served:
    """A value as ``get`` returns it, and its freshness."""

    value: Any
    key: str
    version: int | str | None
    """The job's."""
    status: int
    """``Job.MISS``, ``Job.HIT`` or ``Job.STALE``: what was found."""
    freshness: Freshness | None
    """None for a value that is not in the cache: it is down, or the job did not want it kept."""


def serve(slot: Slot) -> Flow[tuple[Answer, Freshness | None]]:
    """Read the value, and fetch it or have it fetched when it must be, as ``get`` does."""
    try:
        entry = yield from slot.read()
    except CacheUnavailable:
        answer = yield from reading.answer(slot, None, is_down=True)
        return answer, None
    was_gone = slot.judge(entry) is Verdict.GONE
    answer = yield from reading.answer(slot, entry)
    if answer.sync_fetch or (was_gone and answer.status != MISS):
        # Fetched, or restored from the job's backing. What is stored now is what others are
        # served; it may even be newer.
        entry = yield from explaining.raw_get(slot)
        if entry is not None:
            answer = answer._replace(value=entry.value)
    elif answer.status == MISS:
        entry = None
    return answer, None if entry is None else Freshness.of(slot, entry)
