"""``explain`` tells what is known, and touches nothing."""

import dataclasses
import json
import time

import pytest

from cacheback_app import Job
from cacheback_app.testing import Clock
from tests.jobs.support import CaptureQueue, Source, TaggedSource, make_stale


def test_a_miss(alias: str) -> None:
    """Of what is missing only the key and the tags are known."""
    job = TaggedSource().using(cache_alias=alias)
    explained = job.explain("x")
    assert (explained.key, explained.status) == (job.key("x"), Job.MISS)
    assert explained.tags == ("name:x", "all")
    for name in ("age", "expiry", "fetched_at", "claimed_until", "last_error"):
        assert getattr(explained, name) is None


def test_a_hit(clock: Clock) -> None:
    """Age, expiry and time of the fetch are those of the value (J6)."""
    job = TaggedSource()
    before = time.time()
    job.get("x")
    clock.advance(100)
    explained = job.explain("x")
    assert explained.status == Job.HIT
    assert explained.age == pytest.approx(100, abs=1)
    assert explained.fetched_at == pytest.approx(before, abs=1)
    assert explained.expiry == pytest.approx(before + 600, abs=1)
    assert explained.tags == ("name:x", "all")
    assert (explained.claimed_until, explained.last_error) == (None, None)


def test_a_claim_and_an_error(clock: Clock, capture: CaptureQueue) -> None:
    """A claim is told with its end, a failure with its message until the next success (J7, J8)."""
    job = Source().using(refresh_timeout=30, error_backoff=20)
    job.get("x")
    make_stale(job, "x")
    job.get("x")
    explained = job.explain("x")
    assert explained.status == Job.STALE
    assert explained.claimed_until == pytest.approx(time.time() + 30, abs=1)
    job.at.value = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        capture.run_all()
    explained = job.explain("x")
    assert explained.last_error == "ValueError: no"
    assert explained.claimed_until == pytest.approx(time.time() + 20, abs=1)
    clock.advance(21)
    assert job.explain("x").claimed_until is None
    job.at.value = "new"
    job.get("x")
    capture.run_all()
    explained = job.explain("x")
    assert (explained.status, explained.last_error) == (Job.HIT, None)


def test_statuses_are_named() -> None:
    """An explanation is read by people: its status is shown by name, and is 0, 1 or 2 for code and
    for JSON (contract, section 1)."""
    job = Source()
    shown = {0: "status=MISS,", 1: "status=HIT,", 2: "status=STALE,"}
    for status, prepare in enumerate(
        (lambda: None, lambda: job.get("x"), lambda: make_stale(job, "x"))
    ):
        prepare()
        explained = job.explain("x")
        assert explained.status == status and json.dumps(explained.status) == str(status)
        assert str(explained.status) == f"{explained.status}" == str(status)
        assert shown[status] in repr(explained)
    assert (Job.MISS, Job.HIT, Job.STALE) == (0, 1, 2)


def test_it_is_frozen() -> None:
    """What ``explain`` returns is a frozen dataclass with the documented fields."""
    explained = Source().explain("x")
    names = {field.name for field in dataclasses.fields(explained)}
    documented = "key status age expiry fetched_at claimed_until last_error tags"
    assert names >= set(documented.split())
    with pytest.raises(dataclasses.FrozenInstanceError):
        explained.status = 5  # type: ignore[misc]


def test_it_triggers_nothing(capture: CaptureQueue, alias: str) -> None:
    """Looking at what is missing or stale dispatches and claims nothing."""
    job = Source().using(cache_alias=alias, early_refresh=1000)
    job.explain("x")
    job.get("x")
    make_stale(job, "x")
    for _ in range(3):
        assert job.explain("x").status == Job.STALE
    assert capture.sent == [] and job.explain("x").claimed_until is None
