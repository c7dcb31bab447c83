"""The fault suite: its short form, and that its verdict finds what is wrong."""

from typing import Any

import pytest

from cacheback_app import Job
from proof.chaos.run import run
from proof.chaos.verdict import Verdict


@pytest.mark.timeout(240)
def test_short_form() -> None:
    """J1-J12: a site whose workers, Redis and broker fail by turns breaks no guarantee."""
    outcome = run(18.0, seed=3)
    assert not outcome.violations


def get(at: float, number: int, **more: Any) -> dict[str, Any]:
    facts = {"what": "get", "key": "price-1", "began": at - 0.01, "at": at, "born": at - 1}
    return {**facts, "status": Job.HIT, "origin": "fetch", "number": number, **more}


def fetch(at: float) -> dict[str, Any]:
    return {"what": "fetch", "key": "price-1", "began": at, "at": at}


def change(at: float, number: int, kind: str = "invalidate") -> dict[str, Any]:
    facts = {"what": "change", "key": "price-1", "began": at - 0.01, "at": at}
    return {**facts, "kind": kind, "number": number}


def failed(what: str, began: float) -> dict[str, Any]:
    return {"what": f"{what} failed", "key": "price-1", "began": began, "at": began + 0.1}


GOOD = [fetch(1.0), get(1.2, 0), change(10.0, 1), fetch(10.1), get(10.5, 1)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([{"what": "error", "key": "k", "error": "OSError", "at": 2.0}], "OSError"),
        ([get(20.0, 1, began=5.0)], "waited"),
        ([fetch(1.5)], "twice"),
        ([get(10.6, 0)], "fresh"),
        ([get(50.0, 1, born=1.0)], "48.99"),
        ([change(30.0, 2)], "nothing was fetched"),
        ([change(30.0, 2), fetch(31.0), failed("fetch", 31.0)], "nothing was fetched"),
        ([failed("get", 11.0)], "a value was there"),
    ],
    ids=["error", "wait", "two fetches", "old value", "age", "no fetch", "no value", "raised"],
)
def test_verdict(wrong: list[dict[str, Any]], told: str) -> None:
    """Each kind of violation is seen in a journal that is otherwise good (J2, J5, J8, J10)."""
    assert not Verdict(GOOD, []).outcome({}).violations
    events = sorted([*GOOD, *wrong], key=lambda event: event["at"])
    (violation,) = Verdict(events, []).outcome({}).violations
    assert told in violation


def test_deletion_excuses() -> None:
    """Who finds nothing gets the upstream's error, and the next one may try at once (J3, J7)."""
    asked = [failed("get", 11.0), fetch(11.0), failed("fetch", 11.0), fetch(11.2)]
    events = [*GOOD, change(10.8, 2, "delete"), *asked]
    assert not Verdict(events, []).outcome({}).violations


def test_outage_excuses() -> None:
    """What happened while Redis was down is not held against the cache (J11)."""
    events = [*GOOD, fetch(20.0), fetch(20.5)]
    assert Verdict(events, []).outcome({}).violations
    assert not Verdict(events, [("Redis stopped", 19.9, 20.4)]).outcome({}).violations
