"""The decisions, by tables."""

import math
import random
from typing import Any

import pytest

from cacheback_app.engine import policy
from cacheback_app.engine.claims import Claim, State
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.policy import TagVerdict, Verdict

ENTRY = Entry("v", fetched_at=100.0, fresh_until=200.0, duration=10.0)


@pytest.mark.parametrize(
    ("entry", "now", "ttl", "expected"),
    [
        (None, 0.0, None, Verdict.GONE),
        (None, 0.0, 1000.0, Verdict.GONE),
        (ENTRY, 100.0, None, Verdict.FRESH),
        (ENTRY, 199.999, None, Verdict.FRESH),
        (ENTRY, 200.0, None, Verdict.STALE),
        (ENTRY, 1e12, None, Verdict.STALE),
        (ENTRY, 299.999, 200.0, Verdict.STALE),
        (ENTRY, 300.0, 200.0, Verdict.GONE),
        (ENTRY, 150.0, 50.0, Verdict.FRESH),  # a ttl that was lowered since: a promise is kept
        (Entry("v", 100.0, float("nan")), 150.0, None, Verdict.STALE),
        (Entry("v", 100.0, float("nan")), 150.0, 10.0, Verdict.GONE),
        (Entry("v", float("nan"), 100.0), 150.0, 10.0, Verdict.GONE),
        (ENTRY, 0.0, 50.0, Verdict.FRESH),  # a clock that is behind the writer's
        (ENTRY.invalidated(150.0), 150.0, None, Verdict.STALE),
        (ENTRY.invalidated(150.0), 0.0, None, Verdict.STALE),
        (ENTRY.invalidated(150.0), 300.0, 200.0, Verdict.GONE),
    ],
)
def test_judge(entry: Entry | None, now: float, ttl: float | None, expected: Verdict) -> None:
    """Fresh until ``fresh_until``, stale until ``cache_ttl``, then gone (J2, J6)."""
    assert policy.judge(entry, now, ttl=ttl) is expected


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("left", [1.0, 10.0, 30.0])
def test_xfetch_probability(beta: float, left: float) -> None:
    """The share of early refreshes is that of the XFetch rule, exp(-left / (beta * duration))."""
    rng = random.Random(7)
    count = 20_000
    early = sum(
        policy.judge(ENTRY, 200.0 - left, beta=beta, draw=1.0 - rng.random()) is Verdict.EARLY
        for _ in range(count)
    )
    expected = math.exp(-left / (beta * ENTRY.duration))
    assert early / count == pytest.approx(expected, abs=0.015)


def test_xfetch_never_refreshes_what_took_no_time() -> None:
    """A value that was set by hand is not refreshed early; a stale one is not early but stale."""
    entry = Entry("v", 100.0, 200.0, 0.0)
    assert policy.judge(entry, 199.0, beta=100.0, draw=1e-300) is Verdict.FRESH
    assert policy.judge(ENTRY, 200.0, beta=100.0, draw=1e-300) is Verdict.STALE
    assert policy.judge(ENTRY, 199.0, beta=1.0, draw=1.0) is Verdict.FRESH


def claim(state: State, token: str = "mine") -> Claim:
    return Claim(state, token, 1.0)


@pytest.mark.parametrize(
    ("holder", "failed_too", "expected"),
    [
        (None, False, True),
        (claim(State.PENDING), False, True),
        (claim(State.PENDING), True, True),
        (claim(State.RUNNING), False, False),
        (claim(State.RUNNING), True, False),
        (claim(State.FAILED), False, False),
        (claim(State.FAILED), True, True),
    ],
)
def test_may_take_over(holder: Claim | None, failed_too: bool, expected: bool) -> None:
    """A running fetch is never overtaken, a pending one always, a failed one by who has nothing
    to serve (J3, J7)."""
    assert policy.may_take_over(holder, failed_too=failed_too) is expected


@pytest.mark.parametrize(
    ("holder", "is_retry", "expected"),
    [
        (None, False, False),
        (None, True, False),
        (claim(State.PENDING), False, True),
        (claim(State.PENDING), True, True),
        (claim(State.RUNNING), False, False),
        (claim(State.RUNNING), True, False),
        (claim(State.FAILED), False, False),
        (claim(State.FAILED), True, True),
        (claim(State.PENDING, "another"), False, False),
        (claim(State.FAILED, "another"), True, False),
    ],
)
def test_may_begin(holder: Claim | None, is_retry: bool, expected: bool) -> None:
    """A task runs once, and only while its claim is there (J8, J9)."""
    assert policy.may_begin(holder, claim(State.PENDING), is_retry=is_retry) is expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (None, {}, TagVerdict.VALID),
        ({}, {}, TagVerdict.VALID),
        ({"t": "1.0"}, {"t": "1.0"}, TagVerdict.VALID),
        ({"t": "1.0"}, {"t": "2.0"}, TagVerdict.INVALIDATED),
        ({"t": "1.0"}, {"t": "2.2"}, TagVerdict.DELETED),
        ({"t": "1.0"}, {"t": None}, TagVerdict.INVALIDATED),
        ({"t": "1.0"}, {}, TagVerdict.INVALIDATED),
        (None, {"t": "1.0"}, TagVerdict.INVALIDATED),
        ({"t": "1.0", "u": "1.0"}, {"t": "1.0", "u": "2.0"}, TagVerdict.INVALIDATED),
        ({"t": "1.0", "u": "1.0"}, {"t": "2.0", "u": "3.3"}, TagVerdict.DELETED),
        ({"t": "1.0", "u": "1.0"}, {"t": "3.3", "u": "2.0"}, TagVerdict.DELETED),
        ({"t": "2.2"}, {"t": "3.2"}, TagVerdict.INVALIDATED),
        ({"t": "2.2"}, {"t": "4.4"}, TagVerdict.DELETED),
    ],
)
def test_judge_tags(then: Any, now: Any, expected: TagVerdict) -> None:
    """A stamp that changed makes stale, a deletion makes gone, and a stamp that is lost proves
    nothing (J5)."""
    assert policy.judge_tags(then, now) is expected


def test_poll_interval() -> None:
    """Waiters look often at first and never more rarely than twice a second (J3)."""
    intervals = [policy.poll_interval(waited / 10) for waited in range(200)]
    assert intervals[1:] == sorted(intervals[1:])
    assert 0 < min(intervals) <= max(intervals[:3]) < 0.05 and max(intervals) == 0.5
    waited, looks = 0.0, 0
    while waited < 60:
        waited += policy.poll_interval(waited)
        looks += 1
    assert looks < 220
