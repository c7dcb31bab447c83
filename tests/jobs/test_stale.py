"""A stale value is served at once, and one refresh is dispatched."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job, signals
from cacheback_app.engine import reading
from cacheback_app.engine.claims import Claim, State, claim_key
from cacheback_app.testing import Clock, capture_refreshes, faults
from tests.addresses import Site, cache
from tests.jobs import elsewhere
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    Steps,
    in_threads,
    listening,
    make_stale,
    path_of,
    slot_of,
)
from tests.services import Processes, RedisServer


def stale(job: Source, name: str = "x") -> Source:
    job.get(name)
    make_stale(job, name)
    return job


def test_fifty_threads_dispatch_once(alias: str, capture: CaptureQueue) -> None:
    """Of fifty threads that read one stale value, all get it and one dispatches (J2)."""
    job = stale(Source().using(cache_alias=alias))
    assert in_threads(50, lambda _: job.get("x")) == ["old"] * 50
    assert len(capture.sent) == 1 and job.at.calls == ["x"]


def test_fifty_tasks_dispatch_once(alias: str, capture: CaptureQueue) -> None:
    """Of fifty tasks of an event loop as well (J2, J18)."""
    job = stale(Source().using(cache_alias=alias))

    async def main() -> list[Any]:
        return await asyncio.gather(*(job.aget("x") for _ in range(50)))

    assert asyncio.run(main()) == ["old"] * 50
    assert len(capture.sent) == 1


def test_processes_dispatch_once(
    shared_redis_server: RedisServer, use_site: Any, processes: Processes, settings: Any
) -> None:
    """Of four processes with eight threads each, one dispatches (J2)."""
    from tests.jobs.support import CaptureQueue

    site = Site(cache=shared_redis_server.url(), queue=path_of(CaptureQueue))
    use_site(site)
    job = elsewhere.Slow()
    job.set("stale", data="old")
    make_stale(job, "stale")
    before = repr(caches["default"].get(job.key("stale")))
    answers = processes.run(site, 4, elsewhere.read_stale, "stale", 8)
    assert sum(answer["sent"] for answer in answers) == 1
    assert {answer["raw"] for answer in answers} == {before}


def test_claiming_does_not_touch_the_value(alias: str, capture: CaptureQueue) -> None:
    """The entry is the same after a claim as before (J2)."""
    job = stale(Source().using(cache_alias=alias))
    before = caches[alias].get(job.key("x"))
    job.get("x")
    assert len(capture.sent) == 1
    assert caches[alias].get(job.key("x")) == before


def test_a_dead_process_between_claim_and_dispatch(clock: Clock, capture: CaptureQueue) -> None:
    """A reader that dies after its claim costs one ``refresh_timeout`` (J8)."""
    job = stale(Source().using(refresh_timeout=30))
    steps = Steps(reading.get(slot_of(job, "x")))
    steps.run_next()  # read
    steps.run_next()  # claimed, and then it is gone
    assert job.get("x") == "old" and capture.sent == []
    clock.advance(29)
    assert job.get("x") == "old" and capture.sent == []
    clock.advance(2)
    assert job.get("x") == "old" and len(capture.sent) == 1


def test_a_lost_task_is_sent_again(clock: Clock) -> None:
    """A task that no worker runs is sent again after ``refresh_timeout``, not before (J8)."""
    job = stale(Source().using(refresh_timeout=30))
    with faults.lose_tasks() as lost:
        job.get("x")
        lost.assert_refreshes(1)
        clock.advance(29.5)
        job.get("x")
        lost.assert_refreshes(1)
        clock.advance(1)
        job.get("x")
        lost.assert_refreshes(2)


def test_a_late_task_does_not_work(clock: Clock) -> None:
    """A task that comes after its claim lapsed and another was sent is skipped (J8)."""
    job = stale(Source().using(refresh_timeout=30))
    with capture_refreshes() as refreshes, listening(signals.refresh_skipped) as skipped:
        job.get("x")
        clock.advance(31)
        job.get("x")
        assert refreshes.run() == [False, True]
    assert len(skipped) == 1 and len(job.at.calls) == 2


def test_a_task_delivered_twice_works_once(alias: str) -> None:
    """The second copy of a task has nothing to do, before and after the first ended (J9)."""
    job = stale(Source().using(cache_alias=alias))
    with capture_refreshes() as refreshes:
        job.get("x")
        [refresh] = refreshes
        job.at.before = lambda: ran_meanwhile.append(refresh.run()) if not ran_meanwhile else None
        ran_meanwhile: list[bool] = []
        assert refresh.run() is True
        assert ran_meanwhile == [False]
        assert refresh.run() is False
    assert len(job.at.calls) == 2


def test_a_worker_skips_what_became_fresh(alias: str, capture: CaptureQueue) -> None:
    """A refresh whose key was set or fetched since is skipped, and its claim released (J9)."""
    job = stale(Source().using(cache_alias=alias))
    job.get("x")
    job.set("x", data="set")
    assert capture.run_all() == [False]
    assert job.get("x") == "set" and job.at.calls == ["x"]
    assert job.explain("x").claimed_until is None


def test_a_worker_does_not_bring_back_what_was_deleted(alias: str, capture: CaptureQueue) -> None:
    """A refresh whose key was deleted since is skipped (J5, J9)."""
    job = stale(Source().using(cache_alias=alias))
    job.get("x")
    job.delete("x")
    assert capture.run_all() == [False]
    assert job.raw_get("x") is None


def test_a_refresh_that_ended_meanwhile_is_not_dispatched_again(
    alias: str, capture: CaptureQueue
) -> None:
    """Who read a stale value before its refresh ended, and claims after, dispatches none (J2)."""
    job = stale(Source().using(cache_alias=alias))
    late = Steps(reading.get(slot_of(job, "x")))
    late.run_next()
    job.get("x")
    assert capture.run_all() == [True]
    assert late.finish().value == "old"
    assert capture.sent == []
    assert job.explain("x").claimed_until is None


ACTS: dict[str, tuple[Callable[[Source, CaptureQueue], Any], int]] = {
    "its refresh is dispatched": (lambda job, queue: job.get("x"), 1),
    "its reader fetches": (lambda job, queue: job.using(fetch_on_stale_threshold=0).get("x"), 1),
    "a worker renews it": (lambda job, queue: queue.run_all(), 1),
    "it is refreshed by hand": (lambda job, queue: job.refresh("x"), 0),
}


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("alias_name", ["redis", "own"])
def test_a_stale_value_travels_once(
    alias_name: str,
    what: str,
    shared_redis_server: RedisServer,
    settings: Any,
    capture: CaptureQueue,
) -> None:
    """Who claims the refresh of a large value is not sent it a second time (J2)."""
    settings.CACHES = {"default": cache(alias_name, shared_redis_server.url())}
    act, times = ACTS[what]
    job = Source()
    job.at.value = "x" * 1_000_000
    stale(job)
    if what == "a worker renews it":
        job.get("x")
    client = shared_redis_server.client()
    before = client.info("stats")["total_net_output_bytes"]
    act(job, capture)
    sent = client.info("stats")["total_net_output_bytes"] - before
    assert times * 1_000_000 <= sent < times * 1_000_000 + 100_000
    is_dispatched = what == "its refresh is dispatched"
    assert (len(capture.sent), len(job.at.calls)) == ((1, 1) if is_dispatched else (0, 2))


def test_a_refused_value_is_not_asked_for_at_every_get(alias: str, capture: CaptureQueue) -> None:
    """A refresh whose value ``should_cache`` refuses is not dispatched again at once (J2)."""

    class Choosy(Source):
        def should_cache(self, value: Any) -> bool:
            return value != "no"

    job = stale(Choosy().using(cache_alias=alias))
    job.at.value = "no"
    ran = []
    for _ in range(3):
        assert job.get("x") == "old"
        ran += capture.run_all()
    assert len(ran) == 1


def test_the_refreshed_value_is_served() -> None:
    """With a queue that works, the value after a stale one is the new one (J2)."""
    job = stale(Source())
    job.at.value = "new"
    assert job.get("x") == "old"
    assert job.get("x") == "new"


def test_no_wait_for_a_refresh_that_runs(alias: str, capture: CaptureQueue) -> None:
    """While a worker fetches, readers get the stale value without waiting (J2)."""
    job = stale(Source().using(cache_alias=alias))
    job.get("x")
    begun, go_on = threading.Event(), threading.Event()

    def before() -> None:
        begun.set()
        go_on.wait(10)

    job.at.before = before
    worker = Background(capture.run_all)
    assert begun.wait(10)
    began = time.monotonic()
    assert [job.get("x") for _ in range(5)] == ["old"] * 5
    assert time.monotonic() - began < 2
    assert capture.sent == [] and worker.is_running
    go_on.set()
    assert worker.result() == [True]


def test_a_claim_is_pending_then_running_then_gone(alias: str, capture: CaptureQueue) -> None:
    """The claim beside the value says what its owner does, with one token (J8)."""
    job = stale(Source().using(cache_alias=alias))
    key = claim_key(job.key("x"))
    job.get("x")
    sent = Claim.parse(caches[alias].get(key))
    assert sent is not None and sent.state is State.PENDING
    seen: list[Claim | None] = []
    job.at.before = lambda: seen.append(Claim.parse(caches[alias].get(key)))
    capture.run_all()
    assert seen[0] is not None
    assert (seen[0].state, seen[0].token) == (State.RUNNING, sent.token)
    assert caches[alias].get(key) is None


@pytest.mark.parametrize("change", ["refresh", "get"])
def test_a_threshold_refetches_in_the_caller(change: str, alias: str, clock: Clock) -> None:
    """Beyond ``fetch_on_stale_threshold`` since the fetch the caller refetches, before it
    does not; and so from ``process_result``'s point of view (J2)."""

    class Told(Source):
        lifetime = 10

        def process_result(
            self, result: Any, call: Any, cache_status: int, sync_fetch: bool | None = None
        ) -> Any:
            return result, cache_status, sync_fetch

    job = Told().using(fetch_on_stale_threshold=20, cache_alias="default")
    job.get("x")
    job.at.value = "new"
    clock.advance(15)
    assert job.using(on_dispatch_error="serve").get("x") == ("old", Job.STALE, False)
    job.at.value = "newer"
    clock.advance(21)
    assert job.get("x") == ("newer", Job.STALE, True)


def test_no_task_is_sent_when_the_refetching_caller_has_the_claim(
    alias: str, capture: CaptureQueue
) -> None:
    """A caller that refetches a stale value needs no task, and has others wait for it (J2)."""
    job = stale(Source().using(cache_alias=alias, fetch_on_stale_threshold=0))
    assert job.get("x") == "old"
    assert capture.sent == [] and len(job.at.calls) == 2
    assert job.explain("x").status == Job.HIT
