"""The fault injector: section 7 of the contract."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job, invalidate_tags
from cacheback_app.exceptions import QueueError
from cacheback_app.queues import get_queue
from cacheback_app.queues.handoff import handoff
from cacheback_app.testing import Clock, capture_refreshes, faults, sync_refresh
from tests.jobs.support import TaggedSource, in_threads, make_stale, warnings_of
from tests.testing.jobs import AsyncPrice, Price

WAYS: dict[str, Callable[[Job], Any]] = {
    "sync": lambda job: job.get(),
    "async": lambda job: asyncio.run(job.aget()),
    "many": lambda job: job.get_many([()])[0],
}


@pytest.fixture(params=WAYS)
def read(request: pytest.FixtureRequest) -> Callable[[Job], Any]:
    """Each way to read."""
    return WAYS[request.param]


def stale(job: Job, *args: Any) -> Job:
    job.get(*args)
    make_stale(job, *args)
    return job


def test_cache_down(alias: str, read: Callable[[Job], Any]) -> None:
    """Every read fetches, every write is dropped, and afterwards all is there again (J11)."""
    Price().get()
    with faults.cache_down():
        assert [read(Price()), read(Price())] == ["x #2", "x #3"]
        Price().set(data="by hand")
        Price().delete()
        assert Price().explain().status == Job.MISS
    assert read(Price()) == "x #1"


def test_cache_down_for_other_threads(alias: str) -> None:
    """Threads that have used the cache before find it down as well, and up again (J11)."""
    gates = [threading.Barrier(2) for _ in range(4)]

    def use(index: int) -> list[str]:
        found = []
        for before, after in (gates[:2], gates[2:]):
            found.append(Price().get())
            before.wait(10)
            after.wait(10)
        return [*found, Price().get()]

    def break_it(index: int) -> None:
        gates[0].wait(10)
        with faults.cache_down():
            gates[1].wait(10)
            gates[2].wait(10)
        gates[3].wait(10)

    _, found = in_threads(2, lambda index: break_it(index) if index == 0 else use(index))
    assert found == ["x #1", "x #2", "x #1"]


def test_one_cache_down(redis_url: str) -> None:
    """Only the named cache is down."""
    here, there = Price(), Price().using(cache_alias="redis")
    here.get(), there.get()
    with faults.cache_down("redis"):
        assert (here.get(), there.get()) == ("x #1", "x #3")
    assert (here.get(), there.get()) == ("x #1", "x #2")


def test_errors_not_ignored(settings: Any) -> None:
    """With ``CACHEBACK_IGNORE_CACHE_ERRORS = False`` the fault is raised (J11)."""
    settings.CACHEBACK_IGNORE_CACHE_ERRORS = False
    with faults.cache_down(), pytest.raises(ConnectionError, match="cache_down"):
        Price().get()


def test_one_log_line_a_block(caplog: pytest.LogCaptureFixture) -> None:
    """Each block has its line in the log, however shortly after another (J11)."""
    for _ in range(2):
        with faults.cache_down():
            Price().get()
            Price().get()
    assert len(warnings_of(caplog)) == 2


def test_tags_without_a_cache(settings: Any) -> None:
    """An invalidation that no cache hears of is dropped, and raises nothing (J11)."""
    settings.CACHES = {"default": settings.CACHES["default"]}
    job = TaggedSource()
    job.get("x")
    with faults.cache_down():
        invalidate_tags("all")
    assert job.explain("x").status == Job.HIT


@pytest.mark.parametrize("action", ["fetch", "serve", "raise"])
def test_broker_down(
    action: str, queue: str, read: Callable[[Job], Any], fetched: list[Any]
) -> None:
    """``get`` does at once what ``on_dispatch_error`` says, with every queue and every time
    (J10)."""
    for round_number in (1, 2):
        fetched.clear()
        job = stale(Price().using(on_dispatch_error=action, error_backoff=0))
        with faults.broker_down():
            if action == "raise":
                with pytest.raises(QueueError) as caught:
                    read(job)
                assert isinstance(caught.value.__cause__, OSError)
            else:
                assert read(job) == ("x #2" if action == "fetch" else "x #1"), round_number
        job.delete()


def test_broker_down_leaves_no_doubt(queue: str) -> None:
    """After the block the process does not take the real broker for one that is down."""
    with faults.broker_down():
        stale(Price()).get()
    assert not handoff._known


def test_lost(
    queue: str, read: Callable[[Job], Any], cacheback_clock: Clock, fetched: list[Any]
) -> None:
    """A lost refresh costs one ``refresh_timeout``: until then nobody asks again (J8)."""
    job = stale(Price())
    with faults.lose_tasks() as lost:
        assert [read(job), read(job)] == ["x #1"] * 2
        lost.assert_refreshes(1)
        cacheback_clock.advance("59s")
        read(job)
        lost.assert_refreshes(1)
        cacheback_clock.advance("1s")
        with sync_refresh():
            read(job)
        assert read(job) == "x #2"
    assert fetched == ["x", "x"]


def test_lost_and_forgotten(alias: str, queue: str) -> None:
    """After the block no claim of a lost refresh is left."""
    job = stale(Price())
    with faults.lose_tasks():
        job.get()
    assert job.explain().claimed_until is None


def test_duplicate(read: Callable[[Job], Any], fetched: list[Any]) -> None:
    """A refresh that is delivered twice is fetched once (J9)."""
    job = stale(Price())
    with sync_refresh(), faults.duplicate_tasks(times=3):
        read(job)
    assert fetched == ["x", "x"]
    with capture_refreshes() as refreshes, faults.duplicate_tasks():
        make_stale(job)
        read(job)
        refreshes.assert_refreshes(2)
        assert refreshes.run() == [True, False]


def test_delayed_until_released(read: Callable[[Job], Any], fetched: list[Any]) -> None:
    """A delayed refresh waits until it is released, and is then worth running."""
    job = stale(Price())
    with sync_refresh(), faults.delay_tasks() as delayed:
        assert read(job) == "x #1"
        assert len(fetched) == 1
        delayed.release()
        assert read(job) == "x #2"
        delayed.release()
    assert len(fetched) == 2


def test_delayed_by_the_fake_clock(cacheback_clock: Clock, fetched: list[Any]) -> None:
    """``advance`` delivers what is due, and no earlier; a refresh that comes after its claim has
    lapsed does nothing (J8)."""
    job = stale(Price())
    late = Price().using(refresh_timeout=5)
    stale(late, "late")
    fetched.clear()
    with sync_refresh(), faults.delay_tasks("10s") as delayed:
        job.get()
        late.get("late")
        delayed.assert_refreshes(2)
        cacheback_clock.advance(9.9)
        assert fetched == []
        cacheback_clock.advance(0.1)
        assert fetched == ["x"]


def test_delayed_by_real_time(settings: Any, fetched: list[Any]) -> None:
    """Without a fake clock, a delay is one of real time, in a thread of its own."""
    settings.CACHEBACK_TASK_QUEUE = "sync"
    done = threading.Event()
    where: list[threading.Thread] = []

    class Noted(Price):
        def fetch(self, name: str = "x") -> str:
            where.append(threading.current_thread())
            if len(where) == 2:
                done.set()
            return super().fetch(name)

    job = stale(Noted())
    with faults.delay_tasks(0.01):
        assert job.get() == "x #1"
        assert done.wait(10)
    assert where[1] is not threading.current_thread()
    assert job.get() == "x #2"


def test_a_clock_that_stands_still_delays(cacheback_clock: Clock, fetched: list[Any]) -> None:
    """While a fake clock stands, real time delivers nothing."""
    job = stale(Price())
    with sync_refresh(), faults.delay_tasks(0.1) as delayed:
        job.get()
        (timer,) = delayed._timers
        timer.join(10)
        assert len(fetched) == 1
        cacheback_clock.advance(0.1)
        assert len(fetched) == 2


def test_nothing_is_left_of_a_delay(queue: str, alias: str) -> None:
    """What still waits when the block ends is forgotten: no timer, no claim."""
    job = stale(Price())
    before = set(threading.enumerate())
    with faults.delay_tasks("1 hour"):
        job.get()
    assert set(threading.enumerate()) <= before
    assert job.explain().claimed_until is None


def test_all_at_once(queue: str, cacheback_faults: ModuleType, read: Callable[[Job], Any]) -> None:
    """Faults are nested at will; the inner one acts first, and all are gone afterwards."""
    job = stale(Price())
    before = get_queue()
    with ExitStack() as stack:
        for fault in ("broker_down", "delay_tasks", "duplicate_tasks", "cache_down"):
            stack.enter_context(getattr(cacheback_faults, fault)())
        assert read(job) == "x #2"
    assert get_queue() is before
    with faults.broker_down(), faults.lose_tasks() as lost:
        assert job.get() == "x #1"
        lost.assert_refreshes(1)
    with faults.lose_tasks() as lost, faults.broker_down():
        assert job.get() == "x #3"
        lost.assert_refreshes(0)


def test_async_jobs(queue: str) -> None:
    """Faults in an event loop: nothing blocks, nothing is left (J18)."""

    async def go() -> list[Any]:
        job = AsyncPrice()
        with faults.cache_down():
            down = await asyncio.gather(job.aget(), job.aget())
        await job.aget()
        await asyncio.to_thread(make_stale, job)
        with faults.broker_down():
            return [len(set(down)), await job.aget()]

    assert asyncio.run(go()) == [1, "x #3"]


def test_cached_by_others() -> None:
    """What the site itself asks Django's cache for is not concerned."""
    caches["default"].set("mine", 1)
    with faults.cache_down():
        assert caches["default"].get("mine") == 1
