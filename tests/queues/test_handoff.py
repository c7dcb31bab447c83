"""The thread that talks to the broker: its backlog, the process's exit, and forks."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cacheback_app import Job, signals
from cacheback_app.exceptions import QueueError
from cacheback_app.queues import get_queue
from cacheback_app.queues.handoff import handoff
from tests.addresses import Site, cache
from tests.jobs.support import HangingQueue, listening, path_of
from tests.services import Processes

from .jobs import AsyncPrice, Price, fetches, make_stale
from .pigeons import MoodyPigeonQueue, PigeonQueue, SlowPigeonQueue
from .test_celery import renewed

MANY = 30


class Wind(Job):
    on_dispatch_error = "serve"

    def fetch(self, place: int) -> str:
        return "new"


@pytest.fixture
def slow(settings: Any) -> Iterator[type[SlowPigeonQueue]]:
    """A queue that answered once, and then no more until its gate opens."""
    settings.CACHES = {"default": cache("locmem", "roomy", OPTIONS={"MAX_ENTRIES": 100_000})}
    settings.CACHEBACK_TASK_QUEUE = "tests.queues.pigeons.SlowPigeonQueue"
    make_stale(Wind(), -1)
    Wind().get(-1)
    assert handoff.flush()
    yield SlowPigeonQueue
    SlowPigeonQueue.gate.set()
    handoff.flush(10)
    SlowPigeonQueue.sent.clear()
    SlowPigeonQueue.gate.clear()


def test_backlog_is_bounded(slow: type[SlowPigeonQueue]) -> None:
    """Callers go on while a broker is slow, until so much waits that there is no point (J10)."""
    for place in range(1500):
        make_stale(Wind(), place)
    began = time.monotonic()
    with listening(signals.dispatch_failed) as refused:
        assert {Wind().get(place) for place in range(1500)} == {"old"}
    assert time.monotonic() - began < 5
    assert len(refused) >= 400
    slow.gate.set()
    assert handoff.flush(10)
    assert len(slow.sent) <= 1100


def test_flush_tells_whether_all_was_sent(slow: type[SlowPigeonQueue]) -> None:
    """``flush`` waits for what is under way, and not longer than it is told to."""
    make_stale(Wind(), 1)
    Wind().get(1)
    assert not handoff.flush(0.05)
    slow.gate.set()
    assert handoff.flush()
    assert len(slow.sent) == 2


@pytest.fixture
def moody(settings: Any) -> Iterator[type[MoodyPigeonQueue]]:
    """A queue that works, and has been used already."""
    settings.CACHEBACK_TASK_QUEUE = path_of(MoodyPigeonQueue)
    read_stale("first")
    assert len(MoodyPigeonQueue.sent) == 1
    yield MoodyPigeonQueue
    MoodyPigeonQueue.mood = None
    MoodyPigeonQueue.sent.clear()


def read_stale(place: Any, **options: Any) -> Any:
    job = Wind().using(**options)
    make_stale(job, place)
    return job.get(place)


def test_a_queue_that_does_not_hand_over(moody: type[MoodyPigeonQueue]) -> None:
    """``get`` knows what became of its call when it returns, however well the broker did before:
    what fails is fetched in the caller, and a quick failure keeps nobody from trying (J10)."""
    moody.mood = OSError("no pigeon")
    assert read_stale(1, on_dispatch_error="fetch") == "new"
    moody.mood = None
    for number in (2, 3, 4):
        assert read_stale(number) == "old"
        assert len(moody.sent) == number


@pytest.mark.parametrize("hands_over", [True, False])
def test_raise_is_told_at_once(
    moody: type[MoodyPigeonQueue], monkeypatch: pytest.MonkeyPatch, hands_over: bool
) -> None:
    """With "raise" the caller gets the error although the broker has just answered (J10)."""
    monkeypatch.setattr(moody, "hands_over", hands_over)
    moody.mood = OSError("no pigeon")
    for number in range(2):
        with pytest.raises(QueueError, match="no pigeon"):
            read_stale(number, on_dispatch_error="raise")


def test_one_broker_is_not_another(settings: Any) -> None:
    """A queue that hangs, or that answered, says nothing of another one (J10)."""
    settings.CACHEBACK_TASK_QUEUE = path_of(HangingQueue)
    hanging = get_queue()
    assert isinstance(hanging, HangingQueue)
    assert read_stale(1, on_dispatch_error="fetch") == "new"
    settings.CACHEBACK_TASK_QUEUE = path_of(PigeonQueue)
    try:
        assert read_stale(2, on_dispatch_error="fetch") == "old"
        assert len(PigeonQueue.letters) == 1
        settings.CACHEBACK_TASK_QUEUE = path_of(MoodyPigeonQueue)
        MoodyPigeonQueue.mood = OSError("no pigeon")
        assert read_stale(3, on_dispatch_error="fetch") == "new"
    finally:
        MoodyPigeonQueue.mood = None
        PigeonQueue.letters.clear()
        hanging.release.set()


def dispatch_and_exit(name: str) -> None:
    for number in range(MANY):
        make_stale(Price(), f"{name}{number}")
    for number in range(MANY):
        assert Price().get(f"{name}{number}") == "old"


def test_exit_waits_for_messages(on_broker: Site, processes: Processes, name: str) -> None:
    """A process that ends right after its last ``get`` has sent all its messages (J8)."""
    processes.start(on_broker, dispatch_and_exit, name).result()
    for number in range(MANY):
        value = renewed(lambda number=number: Price().raw_get(f"{name}{number}"))
        assert value == f"{name}{number} #1"


def dispatch_fork_and_dispatch(name: str) -> int:
    for suffix in ("before", "child", "after"):
        make_stale(Price(), f"{name} {suffix}")
    Price().get(f"{name} before")
    handoff.flush()
    child = os.fork()
    if not child:
        value = Price().get(f"{name} child")
        sys.exit(value != "old")  # and so drains what it has to send
    value = Price().get(f"{name} after")
    _, status = os.waitpid(child, 0)
    return status + (value != "old")


def test_fork(on_broker: Site, processes: Processes, name: str) -> None:
    """A process that was forked after its parent had used the queue sends its own messages, as
    the parent goes on to do (J8)."""
    assert processes.start(on_broker, dispatch_fork_and_dispatch, name).result() == 0
    for suffix in ("before", "child", "after"):
        assert renewed(lambda suffix=suffix: Price().raw_get(f"{name} {suffix}"))
        assert fetches(f"{name} {suffix}") == 1


def dispatch_one(name: str, is_async: bool) -> None:
    job = AsyncPrice() if is_async else Price()
    make_stale(job, name)
    assert job.get(name) == "old"


# asgiref runs a coroutine in a thread of its own; 3.12.0 and 3.12.1 start none at exit (gh-113964).
STARTS_NO_THREADS = (3, 12) <= sys.version_info[:3] < (3, 12, 2)


@pytest.mark.parametrize(
    "is_async",
    [
        pytest.param(False, id="def"),
        pytest.param(
            True,
            id="async def",
            marks=pytest.mark.skipif(STARTS_NO_THREADS, reason="this Python starts no threads"),
        ),
    ],
)
def test_exit_waits_for_threads(
    on_redis: Site, processes: Processes, name: str, is_async: bool
) -> None:
    """What threads have not refreshed when the process ends is refreshed then (section 2)."""
    process = processes.start(replace(on_redis, queue="threads"), dispatch_one, name, is_async)
    process.result()
    job = AsyncPrice() if is_async else Price()
    assert job.raw_get(name)[1] == f"{name} #1", process.log


def broker_dies_then_exit(name: str) -> None:
    """The broker's port is closed to this process: messages fail after the callers went on."""
    make_stale(Price(), name)
    Price().using(on_dispatch_error="serve").get(name)


def test_exit_with_a_dead_broker(on_redis: Site, processes: Processes, name: str) -> None:
    """A dead broker does not keep a process from ending (J10)."""
    site = replace(on_redis, broker="redis://127.0.0.1:1/0")
    began = time.monotonic()
    processes.start(site, broker_dies_then_exit, name).result()
    assert time.monotonic() - began < 20
