"""``raw_get`` and ``explain``: look, and touch nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cacheback_app.exceptions import CacheUnavailable

from . import backing
from .claims import Claim, claim_key, error_key
from .entry import Entry
from .flow import Flow
from .policy import Verdict
from .slot import Slot
from .status import HIT, MISS, STALE


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one cached call. Times are Unix timestamps, spans are seconds."""

    key: str
    status: int
    """``Job.MISS``, ``Job.HIT`` or ``Job.STALE``: what ``get`` would find."""
    age: float | None
    """Since the fetch began."""
    expiry: float | None
    """When the value became or becomes stale."""
    fetched_at: float | None
    duration: float | None
    """How long the fetch took; 0 for a value that was set by hand."""
    claimed_until: float | None
    """Until when a refresh is claimed, or held back after a failure."""
    last_error: str | None
    """Type and message of the failure since the last success, if it was within a day."""
    tags: tuple[str, ...]


def raw_get(slot: Slot) -> Flow[Entry | None]:
    """Return the entry unless it is gone."""
    try:
        entry = yield from slot.read()
    except CacheUnavailable:
        entry = None
    if slot.judge(entry) is not Verdict.GONE:
        return entry
    return (yield from backing.load(slot))


def explain(slot: Slot) -> Flow[Explanation]:
    """Return all that is known of the call."""
    entry = yield from raw_get(slot)
    try:
        aside = yield slot.io(
            lambda state: state.get_many([claim_key(slot.key), error_key(slot.key)])
        )
    except CacheUnavailable:
        aside = {}
    claim = Claim.parse(aside.get(claim_key(slot.key)))
    error = aside.get(error_key(slot.key))
    return Explanation(
        key=slot.key,
        status=_status(slot, entry),
        age=None if entry is None else max(0.0, time.time() - entry.fetched_at),
        expiry=None if entry is None else entry.expiry,
        fetched_at=None if entry is None else entry.fetched_at,
        duration=None if entry is None else entry.duration,
        claimed_until=None if claim is None else claim.until,
        last_error=error if isinstance(error, str) else None,
        tags=tuple((entry.tags if entry else None) or (slot.tags() if slot.job._has_tags else ())),
    )


def _status(slot: Slot, entry: Entry | None) -> int:
    match slot.judge(entry):
        case Verdict.GONE:
            return MISS
        case Verdict.STALE:
            return STALE
        case _:
            return HIT
