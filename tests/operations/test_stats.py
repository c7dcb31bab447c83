"""Statistics of one process: what is counted, when it is shared, what a broken cache does."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import FunctionJob, Job, cacheback, stats
from cacheback_app.engine import tallies as tallies_module
from cacheback_app.engine.tallies import OTHER, Counted, Tallies
from cacheback_app.exceptions import QueueError
from cacheback_app.stats import amounts, sharing
from cacheback_app.stats.collecting import LATE, collector, this_minute
from cacheback_app.stats.flushing import flusher
from tests.operations.shop import HERE, Broken, Report, mark_stale, price
from tests.services import wait_until

pytestmark = pytest.mark.usefixtures("counting")

NAME = f"{HERE}.Report"


def figures(name: str = NAME) -> stats.JobFigures:
    return stats.read()[name]


READS: dict[str, Callable[[], Any]] = {
    "get": lambda: Report().get("2025"),
    "aget": lambda: asyncio.run(Report().aget("2025")),
    "get_many": lambda: Report().get_many([("2025",)]),
    "aget_many": lambda: asyncio.run(Report().aget_many([("2025",)])),
    "local_ttl": lambda: Report().using(local_ttl=60).get("2025"),
    "early": lambda: Report().using(early_refresh=1e-9).get("2025"),
}


@pytest.mark.parametrize("read", READS)
def test_every_way_of_reading_is_counted_once(read: str) -> None:
    """A miss and three hits are one and three, however they are read (section 7)."""
    for _ in range(4):
        READS[read]()
    found = figures()
    assert (found.misses, found.hits, found.stale, found.refreshes) == (1, 3, 0, 1)


def test_stale_reads(settings: Any) -> None:
    """A stale read is counted, with the age of what was served, and so are its dispatch and the
    refresh that follows (section 7)."""
    Report().get("2025")
    mark_stale(Report(), "2025")
    Report().get("2025")
    found = figures()
    assert (found.misses, found.stale, found.dispatched, found.refreshes) == (1, 1, 1, 2)
    assert found.oldest is not None and found.oldest.age >= 10
    assert found.oldest.key == Report().key("2025")
    assert found.lag.count == 1 and found.fetch.count == 2


def test_decorated_functions_are_counted_apart() -> None:
    """Functions that one decorator decorated, and one that a job is given, each have their own
    figures (section 7)."""
    decorator = cacheback(lifetime=5)

    def one() -> int:
        return 1

    def two() -> int:
        return 2

    first, second = decorator(one), decorator(two)
    for function in (first, first, first, second, second):
        function()
    for _ in range(4):
        FunctionJob().get(two)
    found = {name.rpartition(".")[2]: (f.misses, f.hits) for name, f in stats.read().items()}
    assert found == {"one": (1, 2), "two": (1, 5)}


def test_a_failure() -> None:
    """A failed fetch counts as miss and failure; its traceback is kept, without the values of
    variables (section 7)."""
    for _ in range(2):
        with pytest.raises(ValueError, match="no password"):
            Broken().get("password")
    found = figures(f"{HERE}.Broken")
    assert (found.misses, found.failures, found.refreshes) == (2, 2, 0)
    assert found.last_failure is not None
    assert found.last_failure.exception == "ValueError"
    assert "in fetch" in found.last_failure.traceback
    assert abs(found.last_failure.at - time.time()) < 60


def test_a_traceback_is_bounded() -> None:
    """However long a message is, some KB of it are kept, and of many jobs that fail only the
    latest keep theirs (section 7)."""
    with pytest.raises(ValueError, match="no xxx"):
        Broken().get("x" * 100_000)
    failure = figures(f"{HERE}.Broken").last_failure
    assert failure is not None and len(failure.traceback) < 4100
    many = {f"job{n}": (float(n), "key", "ValueError", "text") for n in range(150)}
    kept = amounts.without_old_tracebacks(many)
    assert len(kept) == 150
    assert [job for job, failed in kept.items() if failed[3]] == [f"job{n}" for n in range(50, 150)]


def test_a_failed_get_many_is_counted() -> None:
    """What ``get_many`` could not fetch are misses too (section 7)."""

    class Many(Job):
        def fetch_many(self, calls: Any) -> Any:
            raise QueueError("no")

    with pytest.raises(QueueError):
        Many().get_many([1, 2])
    (found,) = stats.read().values()
    assert (found.misses, found.failures) == (2, 2)


def test_threads_lose_nothing() -> None:
    """Hits of many threads add up exactly, while another takes the counts (section 7)."""
    Report().get("2025")
    stop = threading.Event()

    def share() -> None:
        while not stop.is_set():
            stats.flush()

    def read() -> None:
        job = Report()
        for _ in range(2000):
            job.get("2025")

    sharer = threading.Thread(target=share)
    readers = [threading.Thread(target=read) for _ in range(8)]
    sharer.start()
    for thread in readers:
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    sharer.join()
    assert figures().hits == 16_000
    stats.flush()
    assert stats.totals()[NAME].hits == stats.of_this_process()[NAME].hits == 16_000


def test_one_read_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the figures is one ``get_many``, however many jobs and keys there are (section 7)."""
    for n in range(30):
        cacheback(_named(f"f{n}"))()
    stats.flush()
    asked = []
    cache = type(caches["default"])
    real = cache.get_many
    monkeypatch.setattr(cache, "get_many", lambda self, keys: asked.append(1) or real(self, keys))
    assert len(stats.read()) == 30
    assert asked == [1]


def _named(name: str) -> Any:
    def function() -> int:
        return 1

    function.__qualname__ = f"made.<locals>.{name}"
    return function


def test_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are told by the minute; what is older than was asked for is in the totals only
    (section 7)."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    Report().get("2025")
    stats.flush()
    ahead[0] = 120.0
    Report().get("2025")
    found = figures()
    assert len(found.series()) == 60
    assert [(m.misses, m.hits) for m in found.series()[-3:]] == [(1, 0), (0, 0), (0, 1)]
    assert found.series()[-1].start == this_minute() * 60
    assert (stats.read(2)[NAME].misses, stats.read(2)[NAME].hits) == (0, 1)
    stats.flush()
    assert stats.totals()[NAME].misses == 1
    ahead[0] = 4000.0
    assert NAME not in stats.read()
    assert stats.totals()[NAME].reads == 2


@pytest.mark.parametrize("minutes", [0, 61, -1])
def test_minutes_that_are_not_kept(minutes: int) -> None:
    """Asking for more than an hour is an error (section 7)."""
    with pytest.raises(ValueError, match="60 minutes"):
        stats.read(minutes)


def test_a_cache_that_is_down_delays(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures wait in the process while the cache is down, by the minute for an hour, and are
    shared when it is back (section 7)."""
    up = settings.CACHES
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    settings.CACHES = {"default": up["down"]}
    Report().get("2025")
    assert stats.flush()
    ahead[0] = 2 * 60 * 60.0
    Report().get("2025")
    assert stats.flush()
    assert sorted(collector.pending()) == [LATE, this_minute()]
    assert figures().misses == 1, "what this process knows is told even so"
    settings.CACHES = {"default": up["default"]}
    assert stats.flush()
    assert collector.pending() == {}
    assert figures().misses == 1
    assert stats.totals()[NAME].misses == 2
    assert stats.of_this_process()[NAME].misses == 2


def test_what_is_not_ours_is_replaced() -> None:
    """An entry that another program wrote under our key is no error (section 7, J11)."""
    caches["default"].set(sharing.TOTALS, "something else")
    caches["default"].set(sharing.minute_key(this_minute()), {"jobs": 5})
    assert stats.read() == {} == stats.totals()
    Report().get("2025")
    stats.flush()
    assert figures().misses == stats.totals()[NAME].misses == 1


def test_a_merge_that_loses_a_race_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process shares between our look and our write is kept (section 7)."""
    Report().get("2025")
    other = amounts.Batch()
    other.count(NAME, {"hits": 7})
    real, raced = sharing.look, []

    def race(key: str) -> Any:
        return real(key)

    state = sharing.state_for("default")
    apply = type(state).apply

    def interleaved(self: Any, ops: Any) -> Any:
        if any(op.value is not None for op in ops) and not raced:
            raced.append(True)
            sharing._merge(this_minute(), other)
        return apply(self, ops)

    monkeypatch.setattr(type(state), "apply", interleaved)
    stats.flush()
    assert raced
    assert (figures().hits, figures().misses) == (7, 1)


def test_a_cache_that_drops_writes_is_soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memcached that is down drops writes without an error: sharing gives up soon, so that no
    scrape or panel waits for it, and keeps the figures (section 7)."""
    state, asked = sharing.state_for("default"), []
    apply = type(state).apply

    def dropping(self: Any, ops: Any) -> Any:
        asked.append(ops)
        outcome = apply(self, [op for op in ops if op.look])
        return outcome._replace(applied=len(asked) % 2 == 1)

    Report().get("2025")
    with monkeypatch.context() as patched:
        patched.setattr(type(state), "apply", dropping)
        assert stats.flush()
    assert len(asked) == 1 + 2 * sharing._FUTILE
    stats.flush()
    assert stats.totals()[NAME].misses == 1


@pytest.mark.usefixtures("sharing_by_itself")
def test_the_thread_shares_by_itself_and_ends(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread shares every few seconds, ends when nothing happens, and is there again with the
    next hit (section 7)."""
    monkeypatch.setattr("cacheback_app.stats.flushing.IDLE_ROUNDS", 2)
    settings.CACHEBACK_STATS_INTERVAL = "0.05"
    for hits in (0, 1):
        Report().get("2025")
        assert flusher._ended is not None
        wait_until(lambda: flusher._ended is None, what="the thread's end")
        assert stats.totals()[NAME].hits == hits


@pytest.mark.usefixtures("sharing_by_itself")
def test_a_cache_that_hangs_holds_no_exit_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a process waits for its last figures, but not for ever (section 7)."""
    hangs, asked = threading.Event(), threading.Event()

    def flush() -> bool:
        asked.set()
        return hangs.wait(20)

    monkeypatch.setattr("cacheback_app.stats.flushing.EXIT_PATIENCE", 0.05)
    monkeypatch.setattr("cacheback_app.stats.flushing.flush", flush)
    monkeypatch.setattr(flusher, "_is_last", False)
    Report().get("2025")
    flusher.finish()
    assert asked.wait(5)
    assert not hangs.is_set(), "it returned before"
    hangs.set()


def test_a_test_run_has_no_thread() -> None:
    """While tests run no thread starts and nothing is written besides: tests that count commands
    or queries are left alone, and no connection keeps a test database from being dropped. Figures
    are there for who asks (section 7)."""
    Report().get("2025")
    Report().get("2025")
    assert flusher._ended is None
    assert not [each for each in threading.enumerate() if each.name == "cacheback-stats"]
    assert stats.totals() == {}
    assert (figures().misses, figures().hits) == (1, 1)
    assert stats.flush()
    assert stats.totals()[NAME].hits == 1


def test_a_thread_that_came_before_the_tests_ends(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read on the import of a module starts a thread; it ends when tests run, and shares nothing
    of theirs (section 7)."""
    settings.CACHEBACK_STATS_INTERVAL = "0.05"
    with monkeypatch.context() as patched:
        patched.setattr("cacheback_app.stats.flushing.is_test_run", lambda: False)
        Report().get("2025")
        assert flusher._ended is not None
        wait_until(lambda: NAME in stats.totals(), what="the first figures")
    wait_until(lambda: flusher._ended is None, what="the thread's end")
    Report().get("2025")
    assert flusher._ended is None
    assert stats.totals()[NAME].hits == 0


def test_switched_off(settings: Any) -> None:
    """With CACHEBACK_STATS = False nothing is shared and no thread starts; the process itself can
    still be asked (section 7)."""
    settings.CACHEBACK_STATS = False
    Report().get("2025")
    price("tea")
    assert not stats.flush()
    assert flusher._ended is None
    assert stats.read() == {} == stats.totals()
    assert stats.of_this_process()[NAME].misses == 1


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that are made without end share one name, in a process and in what is shared
    (section 7)."""
    monkeypatch.setattr(tallies_module, "MAX_NAMES", 3)
    monkeypatch.setattr(amounts, "MAX_NAMES", 3)
    tallies, batch = Tallies(), amounts.Batch()
    for n in range(10):
        tallies.of(f"job{n}").add(Job.HIT)
        batch.count(f"job{n}", {"hits": 1})
    hits = {**{f"job{n}": 1 for n in range(3)}, OTHER: 7}
    assert tallies.take() == {job: Counted(hits=number) for job, number in hits.items()}
    assert {job: a["hits"] for job, a in batch.jobs.items()} == {
        **{f"job{n}": 1 for n in range(3)},
        OTHER: 7,
    }
