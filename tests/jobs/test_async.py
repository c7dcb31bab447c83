"""Sync and async callers share everything, and no event loop waits for a thread."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.db import connections

from cacheback_app import Call, Job, ainvalidate_tags, cacheback
from cacheback_app.engine.claims import claim_key
from cacheback_app.engine.flights import flights
from cacheback_app.engine.flow import Io
from cacheback_app.engine.state.redis import RedisState
from cacheback_app.stores import LocalMemoryStore
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    TaggedSource,
    in_threads,
    make_stale,
    slot_of,
)
from tests.jobs.test_miss import Gate
from tests.services import wait_until
from tests.testapp.models import Author


class AsyncSource(Source):
    """As :class:`Source`, with a coroutine that waits for an event when there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.at.gate = None  # type: ignore[attr-defined]

    async def fetch(self, name: Any = "x") -> Any:  # type: ignore[override]
        gate = self.at.gate  # type: ignore[attr-defined]
        if gate is not None:
            gate.begun.set()
            while not gate.open.is_set():
                await asyncio.sleep(0.005)
        return self.at.answer(name)


class Doors:
    """Two events: a fetch has begun, and it may go on."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()


def gated(job: Source) -> Doors | Gate:
    """Return what holds the fetches of ``job`` up."""
    if not isinstance(job, AsyncSource):
        return Gate(job)
    doors = job.at.gate = Doors()  # type: ignore[attr-defined]
    return doors


def waiters(job: Job, *args: Any) -> int:
    flight = flights._flights.get(slot_of(job, *args).flight_key)
    return flight.waiters if flight else -1


@contextlib.contextmanager
def a_slow_cache(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[Doors]:
    """Hold the outcome of the ``number``-th transaction on Redis back, after it was applied."""
    doors, count, apply = Doors(), [0], RedisState.apply

    def slow(self: RedisState, ops: Any) -> Any:
        outcome = apply(self, ops)
        count[0] += 1
        if count[0] == number:
            doors.begun.set()
            doors.open.wait(10)
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(RedisState, "apply", slow)
        try:
            yield doors
        finally:
            doors.open.set()


@cacheback
async def slowly(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_an_async_fetch_is_awaited(alias: str) -> None:
    """An ``async def fetch`` is awaited, for async and for sync callers (J18)."""
    job = AsyncSource().using(cache_alias=alias)
    assert asyncio.run(job.aget("x")) == "old"
    assert job.get("x") == "old"
    assert job.get("y") == "old"
    assert job.refresh("z") == "old"
    assert job.at.calls == ["x", "y", "z"]
    assert asyncio.run(slowly(4)) == 8
    assert slowly.job.get(slowly, 4) == 8


def test_an_async_fetch_is_refreshed_by_a_worker(capture: CaptureQueue) -> None:
    """A worker, which is sync, runs an ``async def fetch`` (J18)."""
    job = AsyncSource()
    job.get("x")
    make_stale(job, "x")
    job.at.value = "new"
    assert asyncio.run(job.aget("x")) == "old"
    assert capture.run_all() == [True]
    assert asyncio.run(job.aget("x")) == "new"


@pytest.mark.parametrize("kind", [Source, AsyncSource])
def test_async_callers_wait_for_a_sync_one(kind: type[Source], alias: str) -> None:
    """Async callers join the fetch of a thread (J18, J3)."""
    job = kind().using(cache_alias=alias)
    doors = gated(job)
    leader = Background(lambda: job.get("x"))
    assert doors.begun.wait(10)

    async def main() -> list[Any]:
        return await asyncio.gather(*(job.aget("x") for _ in range(10)))

    crowd = Background(lambda: asyncio.run(main()))
    wait_until(lambda: waiters(job, "x") == 10)
    doors.open.set()
    assert crowd.result() == ["old"] * 10 and leader.result() == "old"
    assert job.at.calls == ["x"]


@pytest.mark.parametrize("kind", [Source, AsyncSource])
def test_sync_callers_wait_for_an_async_one(kind: type[Source], alias: str) -> None:
    """Threads join the fetch of an event loop (J18, J3)."""
    job = kind().using(cache_alias=alias)
    doors = gated(job)
    leader = Background(lambda: asyncio.run(job.aget("x")))
    assert doors.begun.wait(10)
    crowd = Background(lambda: in_threads(10, lambda _: job.get("x")))
    wait_until(lambda: waiters(job, "x") == 10)
    doors.open.set()
    assert crowd.result() == ["old"] * 10 and leader.result() == "old"
    assert job.at.calls == ["x"]


def test_many_event_loops_share_one_fetch(alias: str) -> None:
    """So do event loops in several threads, and exceptions cross over (J18, J3)."""
    job = AsyncSource().using(cache_alias=alias)
    job.at.gate = doors = Doors()  # type: ignore[attr-defined]
    job.at.value = error = ValueError("no")
    crowd = Background(lambda: in_threads(5, lambda _: asyncio.run(job.aget("x"))))
    wait_until(lambda: waiters(job, "x") == 4)
    doors.open.set()
    assert crowd.result() == [error] * 5
    assert job.at.calls == ["x"]


@pytest.mark.parametrize(
    "call",
    ["aget", "arefresh", "aget_many", "many jobs", "follower"],
)
def test_the_event_loop_goes_on(call: str, alias: str) -> None:
    """While a sync fetch runs for an async caller, everything else in its loop goes on (J18)."""
    job = Source().using(cache_alias=alias)
    gate = Gate(job)

    async def main() -> int:
        if call == "follower":
            thread = asyncio.create_task(asyncio.to_thread(job.get, "x"))
            while waiters(job, "x") < 0:
                await asyncio.sleep(0.001)
        work: Any = {
            "arefresh": job.arefresh,
            "aget_many": lambda name: job.aget_many([name, "y"]),
        }.get(call, job.aget)
        task = asyncio.create_task(work("x"))
        ticks = 0
        while not gate.begun.is_set() or ticks < 20:
            await asyncio.sleep(0.001)
            ticks += 1
        assert not task.done()
        gate.open.set()
        await task
        if call == "follower":
            await thread
        return ticks

    assert asyncio.run(asyncio.wait_for(main(), 10)) >= 20


CALLS = {
    "aget": lambda job: job.aget("x"),
    "aget_many": lambda job: job.aget_many(["x"]),
    "aset": lambda job: job.aset("x", data=1),
    "ainvalidate": lambda job: job.ainvalidate("x"),
    "adelete": lambda job: job.adelete("x"),
    "arefresh": lambda job: job.arefresh("x"),
    "araw_get": lambda job: job.araw_get("x"),
    "aexplain": lambda job: job.aexplain("x"),
    "ainvalidate_tags": lambda job: ainvalidate_tags("all"),
}


@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis", "file"])
@pytest.mark.parametrize("call", CALLS)
def test_no_cache_io_in_the_event_loop(
    call: str,
    alias_name: str,
    redis_url: str,
    settings: Any,
    capture: CaptureQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No async method does the cache's I/O in the thread of the event loop (J18)."""
    settings.CACHES = {"default": settings.CACHES[alias_name]}
    job = TaggedSource()
    job.get("x")
    make_stale(job, "x")
    from cacheback_app.engine.state import State

    used: set[int] = set()

    def watch(cls: type[State]) -> None:
        for name in ("apply", "apply_many", "get", "get_many"):
            original = getattr(cls, name)

            def watched(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
                used.add(threading.get_ident())
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(cls, name, watched)

    from cacheback_app.engine.state import state_for

    watch(type(state_for("default")))

    async def main() -> int:
        await CALLS[call](job)
        return threading.get_ident()

    loop_thread = asyncio.run(main())
    assert used and loop_thread not in used


class SlowStore(LocalMemoryStore):
    """A store that answers when it is told to."""

    is_local = False

    def __init__(self) -> None:
        super().__init__()
        self.doors = Doors()

    def get(self, pk: str, sk: str) -> str:
        """Return what is there, when the doors open."""
        self.doors.begun.set()
        self.doors.open.wait(30)
        return super().get(pk, sk)


def test_a_cache_does_not_wait_for_stores(redis_url: str) -> None:
    """A hit is answered while any number of async callers wait for a slow store (J18)."""
    job, store = Source().using(cache_alias="redis"), SlowStore()
    job.get("x")
    store.set("a", "b", "c")

    async def main() -> tuple[Any, list[str]]:
        asked = [asyncio.ensure_future(store.aget("a", "b")) for _ in range(30)]
        await asyncio.to_thread(store.doors.begun.wait, 10)
        try:
            hit = await asyncio.wait_for(job.aget("x"), 10)
        finally:
            store.doors.open.set()
        return hit, await asyncio.gather(*asked)

    assert asyncio.run(main()) == ("old", ["c"] * 30)


def test_the_queue_is_not_waited_for_in_the_event_loop(hanging: Any, settings: Any) -> None:
    """While a broker hangs, the event loop goes on (J18, J10)."""
    job = Source().using(on_dispatch_error="serve")
    job.get("x")
    make_stale(job, "x")

    async def main() -> int:
        task = asyncio.create_task(job.aget("x"))
        ticks = 0
        while not task.done():
            await asyncio.sleep(0.005)
            ticks += 1
        assert await task == "old"
        return ticks

    began = time.monotonic()
    assert asyncio.run(main()) >= 5
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("kind", [Source, AsyncSource])
def test_a_cancelled_leader_is_replaced(kind: type[Source], alias: str) -> None:
    """When the task that fetches is cancelled, another that waits takes over at once, and no
    claim is left behind (J18, J8)."""
    job = kind().using(cache_alias=alias)
    doors = gated(job)

    async def main() -> Any:
        leader = asyncio.create_task(job.aget("x"))
        while not doors.begun.is_set():
            await asyncio.sleep(0.001)
        follower = asyncio.create_task(job.aget("x"))
        while waiters(job, "x") < 1:
            await asyncio.sleep(0.001)
        leader.cancel()
        await asyncio.sleep(0.01)
        doors.open.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await follower

    began = time.monotonic()
    assert asyncio.run(asyncio.wait_for(main(), 10)) == "old"
    assert time.monotonic() - began < 3
    assert caches[alias].get(claim_key(job.key("x"))) is None


def test_a_cancelled_refetch_is_no_failure(alias: str) -> None:
    """A caller that is cancelled while it refetches a stale value does not hold others back
    (J7, J18)."""
    job = AsyncSource().using(cache_alias=alias, fetch_on_stale_threshold=0, error_backoff=60)
    job.get("x")
    make_stale(job, "x")
    job.at.gate = doors = Doors()  # type: ignore[attr-defined]

    async def main() -> None:
        task = asyncio.create_task(job.aget("x"))
        while not doors.begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    job.at.gate, job.at.value = None, "new"  # type: ignore[attr-defined]
    assert job.get("x") == "new"


def test_a_cancelled_follower_harms_nobody(alias: str) -> None:
    """When a task that waits is cancelled, the others go on (J18)."""
    job = AsyncSource().using(cache_alias=alias)
    job.at.gate = doors = Doors()  # type: ignore[attr-defined]

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(job.aget("x")) for _ in range(4)]
        while waiters(job, "x") < 3:
            await asyncio.sleep(0.001)
        tasks[2].cancel()
        await asyncio.sleep(0)
        doors.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(asyncio.wait_for(main(), 10))
    assert [r for r in results if r == "old"] == ["old"] * 3
    assert isinstance(results[2], asyncio.CancelledError)
    assert job.at.calls == ["x"]


@pytest.mark.parametrize("number", [1, 2], ids=["claim", "commit"])
@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis"])
def test_cancelled_during_a_round_trip(
    alias_name: str, number: int, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is cancelled while its transaction is on its way leaves no claim, and is
    cancelled (J8, J18)."""
    job = AsyncSource().using(cache_alias=alias_name)
    with a_slow_cache(monkeypatch, number) as doors:

        async def main() -> None:
            task = asyncio.create_task(job.aget("x"))
            while not doors.begun.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.sleep(0.01)
            doors.open.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

        asyncio.run(main())
    assert job.explain("x").claimed_until is None
    assert job.get("x") == "old"


@pytest.mark.parametrize("number", [1, 2], ids=["claim", "commit"])
def test_a_timeout_during_a_round_trip(
    number: int, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``asyncio.timeout`` around a call is a ``TimeoutError`` or none, and never a cancellation
    that comes later, out of nowhere (J18)."""
    job = AsyncSource().using(cache_alias="own")
    with a_slow_cache(monkeypatch, number) as doors:

        async def main() -> str:
            opener = asyncio.get_running_loop().call_later(0.1, doors.open.set)
            try:
                async with asyncio.timeout(0.03):
                    outcome = await job.aget("x")
            except TimeoutError:
                outcome = "timed out"
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            opener.cancel()
            return outcome

        assert asyncio.run(main()) in ("old", "timed out")
    assert job.explain("x").claimed_until is None


class Inner(Job):
    refresh_timeout = 3
    is_slow = False

    def fetch(self, number: int) -> int:
        return number

    def fetch_many(self, calls: Any) -> Any:
        return [call.args[0] for call in calls]


class InnerAsync(Job):
    refresh_timeout = 3

    async def fetch(self, number: int) -> int:
        await asyncio.sleep(0.01)
        return number


def _until_two_fly() -> None:
    deadline = time.monotonic() + 1
    while len(flights) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)


class Outer(Job):
    """A sync fetch that reads another job as soon as somebody else fetches that."""

    refresh_timeout = 10
    inner: Any = Inner()

    def fetch(self, number: int) -> list[int]:
        _until_two_fly()
        return [number, self.inner.get(number)]


class OuterAsync(Outer):
    inner = InnerAsync()


@pytest.mark.parametrize("outer", [Outer, OuterAsync])
@pytest.mark.parametrize("inner_first", [False, True])
@pytest.mark.parametrize("call", ["aget", "aget_many", "arefresh"])
def test_nested_jobs_do_not_deadlock(call: str, inner_first: bool, outer: type[Outer]) -> None:
    """A sync fetch that reads a job which the same loop is about to fetch does not wait for
    ever: the thread that both need is not held up (J18)."""
    inner = outer.inner
    calls: dict[str, Any] = {
        "aget": lambda: inner.aget(1),
        "aget_many": lambda: inner.aget_many([1, 2]),
        "arefresh": lambda: inner.arefresh(1),
    }

    async def main() -> Any:
        works = [outer().aget(1), calls[call]()]
        if inner_first:
            works.reverse()
        return await asyncio.gather(*works)

    began = time.monotonic()
    results = asyncio.run(main())
    assert [1, 1] in results
    assert time.monotonic() - began < 2.5


def test_nested_async_jobs() -> None:
    """A gather of jobs whose fetches await each other's values ends (J18)."""

    class Leaf(Job):
        calls: list[int] = []

        async def fetch(self, number: int) -> int:
            await asyncio.sleep(0.01)
            self.calls.append(number)
            return number

    class Node(Job):
        async def fetch(self, number: int) -> int:
            return sum(await Leaf().aget_many(range(number)))

    class Top(Job):
        async def fetch(self) -> list[int]:
            return list(await asyncio.gather(*(Node().aget(n) for n in range(6))))

    async def main() -> Any:
        return await asyncio.wait_for(asyncio.gather(Top().aget(), Top().aget()), 10)

    expected = [0, 0, 1, 3, 6, 10]
    assert asyncio.run(main()) == [expected, expected]
    assert sorted(Leaf.calls) == [0, 1, 2, 3, 4]


def test_a_sync_view_under_asgi() -> None:
    """Sync code that Django runs for an event loop may call ``get`` of an async job (J18)."""
    job = AsyncSource()

    async def main() -> Any:
        return await asyncio.gather(
            sync_to_async(job.get)("x"), job.aget("x"), sync_to_async(job.get)("y")
        )

    assert asyncio.run(asyncio.wait_for(main(), 10)) == ["old"] * 3
    assert sorted(job.at.calls) == ["x", "y"]


@pytest.mark.parametrize("call", ["get", "refresh", "get_many"])
def test_a_sync_call_of_an_async_fetch_in_an_event_loop(call: str) -> None:
    """It would have to wait for the loop that waits for it, and the error says what to do; a value
    that is there is given (J18)."""
    job = AsyncSource()
    ask = getattr(job, call)
    argument = ["x"] if call == "get_many" else "x"

    async def main() -> Any:
        with pytest.raises(RuntimeError, match=r"await the async twin .*aget_many\(\)"):
            ask(argument)
        assert await job.aget("x") == "old"
        return None if call == "refresh" else ask(argument)

    assert asyncio.run(main()) in (None, "old", ["old"])


def test_async_writes(alias: str, capture: CaptureQueue) -> None:
    """The async twins do what the sync methods do (J18)."""
    job = TaggedSource().using(cache_alias=alias)

    async def main() -> None:
        await job.aset("x", data="set")
        assert await job.aget("x") == "set"
        await job.ainvalidate("x")
        assert (await job.aexplain("x")).status == Job.STALE
        assert len(capture.sent) == 1
        await job.adelete("x")
        assert await job.araw_get("x") is None
        assert await job.arefresh("x") == "old"
        assert await job.aget_many(["x", "y", Call((), {"name": "x"})]) == ["old"] * 3
        await ainvalidate_tags("all")
        assert (await job.aexplain("x")).status == Job.STALE

    asyncio.run(main())


def test_a_threads_waiter_runs_the_sync_fetch_of_a_busy_loop() -> None:
    """When the thread of an event loop's sync code is busy, a thread that waits for the
    fetch runs it (J18)."""
    job = Source()
    busy = threading.Event()

    async def main() -> Any:
        blocker = asyncio.create_task(sync_to_async(busy.wait)(10))
        await asyncio.sleep(0.02)
        task = asyncio.create_task(job.aget("x"))
        while waiters(job, "x") < 0:
            await asyncio.sleep(0.001)
        value = await asyncio.to_thread(job.get, "x")
        assert job.at.calls == ["x"] and not busy.is_set()
        busy.set()
        await blocker
        return value, await task

    assert asyncio.run(asyncio.wait_for(main(), 10)) == ("old", "old")
    assert job.at.calls == ["x"]


class Lazy(Job):
    """Returns what Django has not read yet."""

    def fetch(self, form: str) -> Any:
        found = Author.objects.filter(name="Ann")
        return found if form == "plain" else [found]


@pytest.mark.django_db(transaction=True)
def test_a_query_set_is_evaluated_where_it_was_made(alias: str) -> None:
    """A query set that ``fetch`` returns is cached for async callers, too, and read in the thread
    that Django has for it: those for cache I/O open no database connection (J18)."""
    Author.objects.create(name="Ann")
    job = Lazy().using(cache_alias=alias)

    async def ask() -> tuple[list[str], Any]:
        found = await job.aget("plain")
        opened = await Io(lambda: connections["default"].connection).arun()
        return [author.name for author in found], opened

    assert asyncio.run(ask()) == (["Ann"], None)
    stored = job.raw_get("plain")
    assert stored is not None and [author.name for author in stored[1]] == ["Ann"]


@pytest.mark.django_db(transaction=True)
def test_what_an_event_loop_cannot_store(caplog: pytest.LogCaptureFixture) -> None:
    """A query set inside of a value, which local memory would evaluate in the event loop, is not
    stored, and is not taken for a cache that fails (J11)."""
    asyncio.run(Lazy().aget("inside of a list"))
    assert "cannot be cached (SynchronousOnlyOperation)" in caplog.text
    assert "failed" not in caplog.text
    assert Lazy().explain("inside of a list").claimed_until is None
