"""The decisions of the protocol, as functions without I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, auto

from .claims import Claim, State
from .entry import Entry


class Verdict(Enum):
    """What to do with what a reader found."""

    FRESH = auto()
    EARLY = auto()
    """Serve it as fresh, and refresh it in the background before it expires."""
    STALE = auto()
    GONE = auto()


def judge(
    entry: Entry | None,
    now: float,
    *,
    ttl: float | None = None,
    beta: float | None = None,
    draw: float = 1.0,
) -> Verdict:
    """Return what a reader may do with ``entry`` at ``now``.

    :param ttl: seconds since the fetch after which the value is gone, None for never.
    :param beta: XFetch's beta, None to never refresh early.
    :param draw: a uniform random number in (0, 1], used by XFetch.
    """
    if entry is None:
        return Verdict.GONE
    if not entry.fresh_until > now:  # and so is what is not a number
        is_gone = ttl is not None and not now < entry.fetched_at + ttl
        return Verdict.GONE if is_gone else Verdict.STALE
    if beta is not None and is_early(entry, now, beta, draw):
        return Verdict.EARLY
    return Verdict.FRESH


def is_early(entry: Entry, now: float, beta: float, draw: float) -> bool:
    """Return whether XFetch refreshes ``entry`` at ``now``.

    Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention",
    VLDB 2015, figure 4.
    """
    return now - entry.duration * beta * math.log(draw) >= entry.fresh_until


def may_take_over(claim: Claim | None, *, failed_too: bool) -> bool:
    """Return whether a caller that must have a value may replace ``claim`` with its own.

    A pending refresh has not begun, so nothing is fetched twice when a caller overtakes it; text
    that is no claim protects nobody. A failed one is overtaken by callers that have nothing to
    serve; who can serve a stale value leaves the upstream alone until the claim lapses.
    """
    if claim is None or claim.state is State.PENDING:
        return True
    return claim.state is State.FAILED and failed_too


def may_begin(claim: Claim | None, mine: Claim, *, is_retry: bool) -> bool:
    """Return whether a worker that was sent ``mine`` may fetch, finding ``claim`` in the cache.

    Running means that the task was delivered twice; another token, that somebody overtook it;
    nothing, that it is late or that what it should refresh was deleted.
    """
    if claim is None or claim.token != mine.token:
        return False
    return claim.state is State.PENDING or (claim.state is State.FAILED and is_retry)


class TagVerdict(Enum):
    """What a tag's stamp, then and now, says of an entry."""

    VALID = auto()
    INVALIDATED = auto()
    DELETED = auto()


def judge_tags(then: Mapping[str, str] | None, now: Mapping[str, str | None]) -> TagVerdict:
    """Return what the stamps ``now`` say of an entry whose fetch began when they were ``then``.

    A stamp is ``"<invalidation>.<deletion>"``. One that is gone (evicted, flushed) can no longer
    prove that nothing happened, so the entry counts as invalidated.
    """
    verdict = TagVerdict.VALID
    for tag in {**(then or {}), **now}:
        old, new = (then or {}).get(tag), now.get(tag)
        if old == new and old is not None:
            continue
        if old and new and old.partition(".")[2] != new.partition(".")[2]:
            return TagVerdict.DELETED
        verdict = TagVerdict.INVALIDATED
    return verdict


def poll_interval(waited: float) -> float:
    """Return how long to sleep before looking again for a value that another process fetches.

    A 22nd part of the time waited so far keeps the last answer within 1.1 times the fetch while
    the number of looks grows with its logarithm only. What takes less than a tenth of a second is
    looked for more seldom: nobody notices 25 ms, and most that is cached takes longer.
    """
    return 0.025 if waited < 0.1 else min(max(0.009, waited / 22), 0.5)
