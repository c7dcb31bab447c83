"""A missing value is fetched by one caller, and the others wait for it."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Call
from cacheback_app.engine import bulk, changing, fetching, reading
from cacheback_app.engine.claims import Claim, State, claim_key
from cacheback_app.engine.flow import Fetch, Flow, Pause
from cacheback_app.engine.slot import Slot
from tests.addresses import Site
from tests.jobs import elsewhere
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    Steps,
    captured,
    in_threads,
    slot_of,
)
from tests.jobs.support import elsewhere as in_another_process
from tests.services import Processes, RedisServer, wait_until


class Gate:
    """Holds fetches up until it is opened."""

    def __init__(self, job: Source) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        job.at.before = self

    def __call__(self) -> None:
        self.begun.set()
        assert self.open.wait(20)


@pytest.fixture
def shared(shared_redis_server: RedisServer, use_site: Any) -> Site:
    site = Site(cache=shared_redis_server.url(), queue="sync")
    use_site(site)
    return site


def test_one_fetch_over_threads(alias: str) -> None:
    """Fifty threads that miss make one fetch, and all get its value (J3)."""
    job = Source().using(cache_alias=alias)
    gate = Gate(job)
    crowd = Background(lambda: in_threads(50, lambda _: job.get("x")))
    assert gate.begun.wait(10)
    gate.open.set()
    assert crowd.result() == ["old"] * 50
    assert job.at.calls == ["x"]


def test_one_fetch_over_processes(shared: Site, processes: Processes) -> None:
    """Eight processes with eight threads each make one fetch, and all get its value (J3)."""
    answers = processes.run(shared, 8, elsewhere.get_in_threads, "Slow", "cold", 8)
    assert [value for answer in answers for value in answer] == [{"number": 1}] * 64
    assert elsewhere.redis().get("fetches:cold") == b"1"


def test_failures_are_tried_one_at_a_time_over_processes(
    shared: Site, processes: Processes
) -> None:
    """When the fetch raises, the processes try one after the other, each once (J3)."""
    answers = processes.run(shared, 4, elsewhere.get_in_threads, "Failing", "bad", 6)
    for answer in answers:
        assert len(set(answer)) == 1, "the waiters of a process get its leader's exception"
        assert answer[0].startswith("LookupError")
    assert elsewhere.redis().get("fetches:bad") == b"4"
    assert elsewhere.redis().get("most:bad") == b"1"


def test_another_takes_over_from_a_killed_process(shared: Site, processes: Processes) -> None:
    """When the fetching process is killed, another fetches when its claim has lapsed (J3)."""
    victim = processes.start(shared, elsewhere.get_and_die, "killed")
    wait_until(lambda: not victim.is_alive, what="its death")
    job = elsewhere.Killed()
    assert job.explain("killed").claimed_until is not None
    began = time.monotonic()
    assert in_threads(8, lambda _: job.get("killed")) == ["survived"] * 8
    assert 0.1 < time.monotonic() - began < 5
    assert elsewhere.redis().get("fetches:killed") == b"2"


def test_the_exception_reaches_all_waiters_of_the_process(alias: str) -> None:
    """If the fetch raises, its caller and everybody who waited get that exception, after
    one fetch (J3, J7)."""
    job = Source().using(cache_alias=alias)
    job.at.value = error = ValueError("no")
    gate = Gate(job)
    crowd = Background(lambda: in_threads(10, lambda _: job.get("x")))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: (f := flights._flights.get(key)) and f.waiters == 9)
    gate.open.set()
    assert crowd.result() == [error] * 10
    assert job.at.calls == ["x"]


def test_after_a_failure_the_next_caller_tries(alias: str) -> None:
    """A failure on a miss leaves no claim behind (J3)."""
    job = Source().using(cache_alias=alias)
    job.at.value = ValueError("no")
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            job.get("x")
    job.at.value = "well"
    assert job.get("x") == "well"


def test_wait_timeout_gives_empty(alias: str) -> None:
    """Who waits longer than ``wait_timeout`` for another thread's fetch gets ``empty()`` (J3)."""

    class Patient(Source):
        def empty(self) -> Any:
            return "nothing yet"

    job = Patient().using(cache_alias=alias)
    gate = Gate(job)
    leader = Background(lambda: job.get("x"))
    assert gate.begun.wait(10)
    began = time.monotonic()
    assert job.using(wait_timeout=0.1).get("x") == "nothing yet"
    assert asyncio.run(job.using(wait_timeout=0.1).aget("x")) == "nothing yet"
    assert job.using(wait_timeout=0).get("x") == "nothing yet"
    assert time.monotonic() - began < 3
    gate.open.set()
    assert leader.result() == "old"
    assert job.at.calls == ["x"]


def test_a_leader_is_not_harmed_by_a_follower_whose_loop_has_ended(alias: str) -> None:
    """A follower that gave up, event loop and all, takes nothing away from the leader and from
    those who wait on (J3, J18)."""
    job = Source().using(cache_alias=alias)
    gate = Gate(job)
    leader = Background(lambda: job.get("x"))
    assert gate.begun.wait(10)
    assert asyncio.run(job.using(wait_timeout=0.05).aget("x")) is None
    follower = Background(lambda: asyncio.run(job.aget("x")))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: flights._flights[key].waiters >= 2)
    gate.open.set()
    assert leader.result() == "old"
    assert follower.result() == "old"


def test_wait_timeout_for_another_process(alias: str) -> None:
    """So does who waits for another process (J3)."""
    job = Source().using(cache_alias=alias, wait_timeout=0.2)
    with in_another_process():
        other = Steps(reading.get(slot_of(job, "x")))
        other.run_until(Fetch)
    began = time.monotonic()
    assert job.get("x") is None
    assert 0.15 < time.monotonic() - began < 2
    with in_another_process():
        other.finish()
    assert job.get("x") == "old" and job.at.calls == ["x"]


def test_the_value_of_another_process_is_seen_soon(alias: str) -> None:
    """A waiter looks at the claim again and again, and gets the other's value (J3)."""
    job = Source().using(cache_alias=alias)
    with in_another_process():
        other = Steps(reading.get(slot_of(job, "x")))
        other.run_until(Fetch)
    waiter = Steps(reading.get(slot_of(job, "x")))
    waiter.run_until(Pause)
    with in_another_process():
        other.finish()
    assert waiter.finish().value == "old"
    assert job.at.calls == ["x"]


def test_waiters_of_other_processes_do_not_fetch_together(alias: str) -> None:
    """When another process's fetch fails, of two that waited one claims and the other waits on
    (J3)."""
    job = Source().using(cache_alias=alias)
    job.at.value = ValueError("no")
    with in_another_process():
        other = Steps(reading.get(slot_of(job, "x")))
        other.run_until(Fetch)
    waiters = []
    for _ in range(2):
        with in_another_process():
            waiter = Steps(reading.get(slot_of(job, "x")))
            waiter.run_until(Pause)
        waiters.append(waiter)
    with pytest.raises(ValueError, match="no"):
        other.finish()
    job.at.value = "well"
    waiters[0].run_until(Fetch)
    for _ in range(5):
        waiters[1].run_next()
        assert not isinstance(waiters[1].next, Fetch)
    assert waiters[0].finish().value == "well"
    assert waiters[1].finish().value == "well"
    assert job.at.calls == ["x", "x"]


def test_a_pending_refresh_is_overtaken(alias: str, capture: CaptureQueue) -> None:
    """Who must have a value does not wait for a task that has not begun; that one is skipped
    when it comes (J3, J9)."""
    job = Source().using(cache_alias=alias)
    job.using(fetch_on_miss=False).get("x")
    assert len(capture.sent) == 1
    assert job.get("x") == "old"
    assert capture.run_all() == [False]
    assert job.at.calls == ["x"]


def test_no_fetch_on_miss(alias: str, capture: CaptureQueue) -> None:
    """Without ``fetch_on_miss`` every caller gets ``empty()``, one refresh is dispatched, and
    nothing is stored under the key (J4)."""

    class Lazy(Source):
        fetch_on_miss = False

        def empty(self) -> Any:
            return []

    job = Lazy().using(cache_alias=alias)
    assert in_threads(20, lambda _: job.get("x")) == [[]] * 20
    assert len(capture.sent) == 1
    assert caches[alias].get(job.key("x")) is None and job.at.calls == []
    capture.run_all()
    assert job.get("x") == "old"


def test_a_value_set_meanwhile_is_kept(alias: str, capture: CaptureQueue) -> None:
    """What is set between the miss and the dispatch is not overwritten (J4, J5)."""
    job = Source().using(cache_alias=alias, fetch_on_miss=False)
    for at in range(4):
        job.delete("x")
        capture.sent.clear()
        steps = Steps(reading.get(slot_of(job, "x")))
        for _ in range(at):
            if not steps.is_done:
                steps.run_next()
        job.set("x", data="set")
        steps.finish()
        capture.run_all()
        assert job.get("x") == "set", at
    assert job.at.calls == []


def test_a_failed_background_refresh_of_a_missing_value(capture: CaptureQueue, alias: str) -> None:
    """A refresh that failed is not dispatched again for ``error_backoff`` (J4, J7)."""
    job = Source().using(cache_alias=alias, fetch_on_miss=False, error_backoff=60)
    job.at.value = ValueError("no")
    job.get("x")
    with pytest.raises(ValueError, match="no"):
        capture.run_all()
    job.get("x")
    assert capture.sent == []
    assert job.using(fetch_on_miss=False).explain("x").last_error == "ValueError: no"


class ManySource(Source):
    def fetch_many(self, calls: Sequence[Call]) -> list[Any]:
        return [self.fetch(*call.args) for call in calls]


def _work(slot: Slot) -> Flow[Any]:
    slot.job.async_refresh("x")
    return captured().sent[-1].flow()


def _invalidate(slot: Slot) -> Flow[Any]:
    slot.job.set("x", data="old")
    return changing.invalidate(slot)


TAKING: dict[str, Callable[[Slot], Flow[Any]]] = {
    "get": reading.get,
    "get_many": lambda slot: bulk.get_many([slot, slot_of(slot.job, "y")]),
    "refresh": changing.refresh,
    "async_refresh": changing.refresh_later,
    "invalidate": _invalidate,
    "worker": _work,
}


@pytest.mark.parametrize("flow", TAKING.values(), ids=TAKING)
def test_cancelled_anywhere_leaves_no_claim(
    flow: Callable[[Slot], Flow[Any]], alias: str, capture: CaptureQueue
) -> None:
    """Whoever is cancelled, on whichever round trip, gives back each claim that nobody else is to
    work for (J8, J18)."""
    for number in count():
        job = ManySource().using(cache_alias=alias, version=number)
        steps = Steps(flow(slot_of(job, "x")))
        for _ in range(number):
            if not steps.is_done:
                steps.run_next()
        if steps.is_done:
            break
        with pytest.raises(asyncio.CancelledError):
            steps.throw(asyncio.CancelledError(), after=True)
            steps.finish()
        for name in ("x", "y"):
            claim = Claim.parse(caches[alias].get(claim_key(job.key(name))))
            is_sent = job.key(name) in [call.key for call in capture.sent]
            assert claim is None or (is_sent and claim.state is State.PENDING), number


def test_a_lost_write_leaves_no_claim(alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When one of several values cannot be stored, the claims on the others end, too (J8)."""

    def lost(*_: object) -> Flow[None]:
        raise RuntimeError("Unable to save")
        yield

    monkeypatch.setattr(fetching, "verify", lost)
    job = ManySource().using(cache_alias=alias)
    with pytest.raises(RuntimeError):
        job.get_many(["x", "y"])
    assert [job.explain(name).claimed_until for name in ("x", "y")] == [None, None]


def test_a_failing_refresh_elsewhere_does_not_cost_a_good_value(alias: str) -> None:
    """A fetch that runs beside one that fails is stored all the same (J3, J8)."""
    job = Source().using(cache_alias=alias)
    steps = Steps(reading.get(slot_of(job, "x")))
    steps.run_until(Fetch)
    steps.run_next()
    job.at.value = ValueError("no")
    with in_another_process(), pytest.raises(ValueError, match="no"):
        job.refresh("x")
    steps.finish()
    raw = job.raw_get("x")
    assert raw is not None and raw[1] == "old"


def test_without_a_cache_the_waiters_share_the_fetch() -> None:
    """With a dummy cache, callers at the same time share one fetch, as they do when the cache is
    down, rather than queue up for one each (J3, J11)."""
    job = Source().using(cache_alias="dummy")
    gate = Gate(job)
    crowd = Background(lambda: in_threads(8, lambda _: job.get("x")))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: (f := flights._flights.get(key)) and f.waiters == 7)
    gate.open.set()
    assert crowd.result() == ["old"] * 8
    assert job.at.calls == ["x"]
