"""The threads queue: a site without a broker."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from cacheback_app import Job, cacheback, signals
from cacheback_app.queues import get_queue
from cacheback_app.queues.pool import BoundedPool
from cacheback_app.queues.threads import ThreadsQueue
from tests.addresses import cache
from tests.services import wait_until
from tests.testapp.models import Author


class Slow(Job):
    """Waits for the gate; tells how many wait there at once."""

    gate = threading.Event()
    waiting = threading.Semaphore(0)
    lock = threading.Lock()
    now = most = 0

    def fetch(self, number: int) -> str:
        with self.lock:
            Slow.now += 1
            Slow.most = max(Slow.most, Slow.now)
        self.waiting.release()
        self.gate.wait(30)
        with self.lock:
            Slow.now -= 1
        return f"new {number}"


class Names(Job):
    """Reads from the database, and shows with what."""

    connections: list[Any] = []
    drivers: list[Any] = []

    def fetch(self) -> list[str]:
        names = list(Author.objects.values_list("name", flat=True))
        self.connections.append(connections["default"])
        self.drivers.append(connections["default"].connection)
        return names


@pytest.fixture
def queue(settings: Any) -> Iterator[ThreadsQueue]:
    settings.CACHEBACK_TASK_QUEUE = "threads"
    found = get_queue()
    assert isinstance(found, ThreadsQueue)
    yield found
    Slow.gate.set()
    assert found.pool.drain(20)
    Slow.gate.clear()
    Slow.most = 0
    Names.connections.clear()
    Names.drivers.clear()


@pytest.fixture
def roomy_cache(settings: Any) -> None:
    """A cache in this process that holds more than the 300 entries of the default."""
    settings.CACHES = {"default": cache("locmem", "roomy", OPTIONS={"MAX_ENTRIES": 100_000})}


def make_stale(job: Job, *args: Any) -> None:
    job.using(lifetime=0).set(*args, data="old")


def test_stale_value_is_renewed(queue: ThreadsQueue) -> None:
    """The caller gets the stale value while a thread is still fetching (J2)."""
    make_stale(Slow(), 1)
    assert Slow().get(1) == "old"
    assert Slow.waiting.acquire(timeout=10)
    assert Slow().get(1) == "old"
    Slow.gate.set()
    assert queue.pool.drain(10)
    assert Slow().get(1) == "new 1"


def test_what_ends_a_fetch_is_not_logged(
    queue: ThreadsQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A fetch that exits ends no thread, and the log has the kind of the error only: its message
    may hold arguments (section 7)."""

    def leave() -> None:
        raise SystemExit("secret")

    assert queue.pool.submit(leave)
    assert queue.pool.drain(10)
    assert [record.getMessage() for record in caplog.records] == [
        "A background task raised SystemExit"
    ]
    assert "secret" not in caplog.text


def test_backlog_is_bounded(queue: ThreadsQueue, roomy_cache: None) -> None:
    """Four threads and a thousand that wait: more are dropped, counted and signalled, and
    refreshed when their claim has lapsed (section 2)."""
    dropped: list[dict[str, Any]] = []

    def note(**details: Any) -> None:
        dropped.append(details)

    signals.refresh_dropped.connect(note)
    job = Slow().using(refresh_timeout=30)
    for number in range(1010):
        make_stale(job, number)
    try:
        for number in range(4):
            assert job.get(number) == "old"
        for _ in range(4):
            assert Slow.waiting.acquire(timeout=10)
        for number in range(4, 1010):
            assert job.get(number) == "old"
    finally:
        signals.refresh_dropped.disconnect(note)
    assert [details["key"] for details in dropped] == [Slow().key(n) for n in range(1004, 1010)]
    assert dropped[0]["sender"] is Slow
    assert dropped[0]["queue"] == "threads"
    assert queue.pool.dropped == 6
    Slow.gate.set()
    assert queue.pool.drain(20)
    assert Slow.most == 4
    assert job.get(1003) == "new 1003"
    assert job.get(1004) == "old"
    assert job.explain(1004).claimed_until > time.time()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no more threads for a moment costs no task and no pool for ever (J10)."""
    pool = BoundedPool(threads=1, backlog=10, drain_timeout=0, name="unlucky")
    done: list[int] = []

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert pool.submit(lambda: done.append(1))
    assert pool.submit(lambda: done.append(2))
    assert pool.drain(10) and done == [1, 2]


def test_failure_leaves_the_threads_alive(
    queue: ThreadsQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A fetch that raises, whatever it is, costs no thread and nobody else's refresh (J7)."""

    class Broken(Job):
        def fetch(self, number: int) -> str:
            raise SystemExit if number % 2 else LookupError

    for number in range(12):
        make_stale(Broken(), number)
        assert Broken().get(number) == "old"
    assert queue.pool.drain(10)
    Slow.gate.set()
    make_stale(Slow(), 1)
    Slow().get(1)
    assert queue.pool.drain(10)
    assert Slow().get(1) == "new 1"
    assert "Broken failed in the background: LookupError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_database_connections_are_closed(queue: ThreadsQueue) -> None:
    """A thread's database connection does not outlive its refresh (section 2)."""
    Author.objects.create(name="Ann")
    make_stale(Names())
    Names().get()
    assert queue.pool.drain(10)
    assert Names().get() == ["Ann"]
    (used,) = Names.connections
    assert used is not connections["default"]
    assert used.connection is None


@pytest.mark.django_db(transaction=True)
def test_expired_connection_is_not_used(queue: ThreadsQueue) -> None:
    """A persistent connection that grew too old while its thread was idle is not used (J7)."""

    class Persistent(Names):
        def fetch(self) -> list[str]:
            own = connections["default"]
            own.settings_dict = {**own.settings_dict, "CONN_MAX_AGE": 3600}
            return super().fetch()

    for _ in range(2):
        make_stale(Persistent())
        Persistent().get()
        assert queue.pool.drain(10)
        Names.connections[-1].close_at = time.monotonic() - 1  # hours later
    assert Names.connections[0] is Names.connections[1]
    assert Names.drivers[0] is not Names.drivers[1]

    class Last(Names):
        def fetch(self) -> list[str]:
            connections["default"].close()
            return []

    make_stale(Last())
    Last().get()
    assert queue.pool.drain(10)


def test_lambdas_and_local_functions(queue: ThreadsQueue) -> None:
    """What runs in this process need not be importable, nor its arguments be JSON (section 1)."""
    seen = []

    @cacheback
    def local(text: str) -> str:
        seen.append(threading.current_thread())
        return text.upper()

    local.job.using(lifetime=0).set(local, "a", data="old")
    assert local("a") == "old"
    assert queue.pool.drain(10)
    assert local("a") == "A"
    assert seen[0] is not threading.current_thread()


def test_async_fetch_and_async_caller(queue: ThreadsQueue) -> None:
    """An async caller's stale value is renewed by a thread, which awaits an async fetch (J18)."""
    import asyncio

    class Async(Job):
        async def fetch(self) -> str:
            await asyncio.sleep(0)
            return "new"

    make_stale(Async())
    assert asyncio.run(Async().aget()) == "old"
    wait_until(lambda: Async().raw_get()[1] == "new", what="the new value")


def test_arguments_are_those_of_the_moment(queue: ThreadsQueue) -> None:
    """A list that its caller changes after ``get`` is fetched for as it was then (J14)."""

    class Sum(Job):
        def fetch(self, numbers: list[int]) -> int:
            Slow.waiting.release()
            Slow.gate.wait(10)
            return sum(numbers)

    blockers = [Slow().using() for _ in range(4)]
    for number, job in enumerate(blockers):
        make_stale(job, number)
        job.get(number)
    for _ in blockers:
        assert Slow.waiting.acquire(timeout=10)
    numbers = [1, 2]
    make_stale(Sum(), [1, 2])
    Sum().get(numbers)
    numbers.append(100)
    Slow.gate.set()
    assert queue.pool.drain(10)
    assert Slow.waiting.acquire(timeout=10)
    assert Sum().raw_get([1, 2])[1] == 3
