"""``capture_refreshes``: section 7 of the contract."""

import asyncio
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from cacheback_app import Job, cacheback
from cacheback_app.testing import capture_refreshes, fake_clock, faults, sync_refresh
from tests.jobs.support import in_threads, make_stale
from tests.testing.jobs import AsyncPrice, Broken, Price, report


def stale(job: Job, *args: Any) -> Job:
    job.get(*args)
    make_stale(job, *args)
    return job


def test_what_is_listed(queue: str) -> None:
    """A captured refresh names job, arguments and key, as a worker of any queue would get them
    (J14)."""
    day = date(2026, 3, 1)
    report(2026, day=day, parts=("a",))
    with capture_refreshes() as refreshes:
        report.invalidate(2026, day=day, parts=("a",))
        (refresh,) = refreshes
        assert refresh.job == "tests.testing.jobs.report"
        assert (refresh.args, refresh.kwargs) == ((2026,), {"day": day, "parts": ("a",)})
        assert refresh.key == report.key(2026, day=day, parts=("a",))
        assert "tests.testing.jobs.report(2026, day=" in repr(refresh)


def test_nothing_runs_until_told(queue: str, fetched: list[Any]) -> None:
    """Within the block nothing is fetched; ``run`` does what a worker would, and says so."""
    job = stale(Price())
    with capture_refreshes() as refreshes:
        assert [job.get(), job.get()] == ["x #1"] * 2
        refreshes.assert_refreshes(1)
        assert fetched == ["x"]
        assert refreshes.run() == [True]
        assert job.get() == "x #2"
        assert refreshes.run() == [], "each is run once unless chosen again"


def test_wrong_number() -> None:
    """``assert_refreshes`` lists what there was."""
    job = stale(Price(), "tea")
    with capture_refreshes() as refreshes:
        refreshes.assert_refreshes(0)
        job.get("tea")
        with pytest.raises(AssertionError, match=r"2 refreshes expected, 1 captured\n.*'tea'"):
            refreshes.assert_refreshes(2)


def test_chosen_order(fetched: list[Any]) -> None:
    """A chosen one is run before others."""
    jobs = [stale(Price(), name) for name in ("a", "b", "c")]
    fetched.clear()
    with capture_refreshes() as refreshes:
        for job, name in zip(jobs, "abc", strict=True):
            job.get(name)
        assert refreshes.run(2) == [True]
        assert refreshes.run() == [True, True]
    assert fetched == ["c", "a", "b"]


def test_twice(queue: str, fetched: list[Any]) -> None:
    """A refresh that is run again is a duplicate, and fetches nothing (J9)."""
    job = stale(Price())
    with capture_refreshes() as refreshes:
        job.get()
        assert refreshes.run(0, 0) == [True, False]
    assert fetched == ["x", "x"]


def test_late(fetched: list[Any]) -> None:
    """A refresh that is run after its claim has lapsed fetches nothing (J8)."""
    job = stale(Price())
    with fake_clock() as clock, capture_refreshes() as refreshes:
        job.get()
        clock.advance(61)
        assert refreshes.run() == [False]
        job.get()
        assert refreshes.run() == [True]


def test_lapsed(alias: str) -> None:
    """``lapse`` ends a claim on caches whose clock cannot be moved, too (J8)."""
    job = stale(Price())
    with capture_refreshes() as refreshes:
        job.get()
        refreshes[0].lapse()
        assert refreshes.run() == [False]
        job.get()
        assert refreshes.run() == [True]


def test_failing_fetch() -> None:
    """``run`` raises what the fetch raised, and leaves the rest for the next call (J9)."""
    broken, fine = stale(Broken()), stale(Price(), "y")
    with capture_refreshes() as refreshes:
        fine.get("y")
        broken.get()
        with pytest.raises(LookupError):
            refreshes.run(1)
        assert refreshes.run() == [True]


def test_async(queue: str) -> None:
    """``arun`` awaits an async fetch in the running loop (J18)."""

    async def renew() -> list[Any]:
        job = AsyncPrice()
        await job.aget()
        await asyncio.to_thread(make_stale, job)
        with capture_refreshes() as refreshes:
            old = await job.aget()
            return [old, await refreshes.arun(), await job.aget()]

    assert asyncio.run(renew()) == ["x #1", [True], "x #2"]


def test_no_claim_is_left(queue: str, alias: str) -> None:
    """What was never run has no claim after the block, so the next read refreshes."""
    job = stale(Price())
    with capture_refreshes():
        job.get()
        assert job.explain().claimed_until
    assert job.explain().claimed_until is None
    with sync_refresh():
        job.get()
        assert job.get() == "x #2"


def test_anothers_claim_is_left(alias: str) -> None:
    """A claim that somebody else has by the end of the block stays."""
    job = stale(Price())
    with capture_refreshes() as outer:
        with capture_refreshes() as refreshes:
            job.get()
            refreshes[0].lapse()
            job.get()
            outer_claim = job.explain().claimed_until
            refreshes._kept.pop()
        assert job.explain().claimed_until == outer_claim
        assert len(outer) == 0


def test_an_error_in_the_block() -> None:
    """The block's own error is raised, even if the claims cannot be ended."""
    job = stale(Price())
    with ExitStack() as stack, pytest.raises(LookupError, match="mine"), capture_refreshes():
        job.get()
        stack.enter_context(faults.cache_down())
        raise LookupError("mine")
    assert job.explain().claimed_until, "it could not be ended"


def test_local_jobs(queue: str) -> None:
    """With any queue, jobs that a worker would not find, and arguments that no message can carry,
    are captured: a test's own class is stale, served and renewed like others (J2)."""

    class Opaque(Job):
        def key(self, thing: object) -> str:
            return "opaque"

        def fetch(self, thing: object) -> str:
            return "value"

    Opaque().set(object(), data="old")
    with capture_refreshes() as refreshes:
        Opaque().invalidate(object())
        assert Opaque().get(object()) == "old"
        refreshes.assert_refreshes(1)
        assert refreshes.run() == [True]
        assert Opaque().get(object()) == "value"


def test_local_functions(settings: Any) -> None:
    """With a queue in this process, jobs and arguments that no message can carry are captured."""
    settings.CACHEBACK_TASK_QUEUE = "threads"

    class Opaque(Job):
        def key(self, thing: object) -> str:
            return "opaque"

        def fetch(self, thing: object) -> str:
            return "value"

    @cacheback
    def nested(name: str) -> str:
        return name

    thing = object()
    with capture_refreshes() as refreshes:
        Opaque().async_refresh(thing)
        nested.job.async_refresh(nested, "a")
        assert [refresh.args for refresh in refreshes] == [(thing,), ("a",)]
        assert refreshes.run() == [True, True]


def test_threads_share_it() -> None:
    """Refreshes of all threads are captured (J2)."""
    with capture_refreshes() as refreshes:
        in_threads(8, lambda index: Price().async_refresh(str(index)))
        assert sorted(refresh.args[0] for refresh in refreshes) == [str(i) for i in range(8)]
        in_threads(8, lambda index: Price().async_refresh("same"))
        refreshes.assert_refreshes(9)
