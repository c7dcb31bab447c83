"""A refresh that was claimed earlier, mostly by another process: what a worker does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cacheback_app import signals
from cacheback_app.exceptions import CacheUnavailable

from . import policy
from .claims import Claim, State, claim_key
from .entry import Entry
from .fetching import Errand, Fetched, fetch_and_store
from .flow import Flow
from .policy import Verdict
from .slot import ATTEMPTS, REFUSED, Grant, Slot
from .state import drop, look


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker knows of the refresh that it was sent."""

    claim: Claim
    seen: float | None
    """``fetched_at`` of the entry that was to be replaced, None when there was none."""
    lag: float | None = None
    is_retry: bool = False
    is_background: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


def refresh_claimed(slot: Slot, work: Work) -> Flow[Fetched | None]:
    """Fetch and store what ``work`` asks for; None when there is no need any more.

    :raises CacheUnavailable: when the cache is down, so that nothing could be stored.
    """
    for _ in range(ATTEMPTS):
        before = yield slot.transact([look(claim_key(slot.key))])
        holder = Claim.parse(before.value(claim_key(slot.key)))
        entry = yield from slot.read()
        reason = _needless(slot, work, holder, entry)
        if reason:
            if holder is not None and holder.token == work.claim.token and reason == "fresh":
                raw = before.raw(claim_key(slot.key))
                yield slot.transact([drop(claim_key(slot.key), expect=raw)])
            _report_skipped(slot, reason)
            return None
        ttl = slot.claim_ttl
        mine = work.claim.moved(State.RUNNING, ttl)
        ops = slot.begin_ops(mine, ttl, expect=before.raw(claim_key(slot.key)))
        outcome = yield from slot.take(mine, ops)
        if outcome.applied:
            return (yield from _fetch(slot, work, mine, slot.grant(ops, outcome)))
    raise CacheUnavailable(REFUSED)


def _needless(slot: Slot, work: Work, holder: Claim | None, entry: Entry | None) -> str | None:
    is_fresh = slot.judge(entry) in (Verdict.FRESH, Verdict.EARLY)
    if entry is not None and is_fresh and entry.fetched_at != work.seen:
        return "fresh"
    if holder is None and work.is_retry:
        # The pause between two tries outlasted the claim. Nobody else has begun; but what was
        # there and is gone was deleted, and a deleted key is not brought back.
        return "deleted" if entry is None and work.seen is not None else None
    if holder is None and slot.job._has_no_value:
        return None
    if not policy.may_begin(holder, work.claim, is_retry=work.is_retry):
        return "claimed by another" if holder else "no longer claimed"
    return None


def _fetch(slot: Slot, work: Work, mine: Claim, grant: Grant | None) -> Flow[Fetched | None]:
    errand = Errand(
        mine,
        grant,
        is_background=work.is_background,
        keeps_claim=True,
        lag=work.lag,
        headers=work.headers,
    )
    try:
        return (yield from fetch_and_store(slot, errand))
    except slot.job._gone_errors:
        _report_skipped(slot, "nothing there any more")
        return None


def _report_skipped(slot: Slot, reason: str) -> None:
    signals.refresh_skipped.send_robust(type(slot.job), job=slot.path, key=slot.key, reason=reason)
