"""What the tests of jobs share: queues that lie and flows driven by hand."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job
from cacheback_app.engine import registry
from cacheback_app.engine.flights import flights
from cacheback_app.engine.flow import Flow, Step
from cacheback_app.engine.near import near
from cacheback_app.engine.slot import Slot
from cacheback_app.queues import BaseQueue, RefreshCall, get_queue

HERE = "tests.jobs.support"


class CaptureQueue(BaseQueue):
    """Keeps what is sent, and runs it when told to: a worker that a test has in its hand."""

    in_process = True

    def __init__(self) -> None:
        self.sent: list[RefreshCall] = []

    def enqueue(self, call: RefreshCall) -> None:
        self.sent.append(call)

    def run_all(self) -> list[bool]:
        """Run everything, oldest first; return which were fetched."""
        calls, self.sent = self.sent, []
        return [call.run() for call in calls]


class BrokenQueue(BaseQueue):
    """A broker that is down: what a user's own queue does then."""

    def __init__(self) -> None:
        self.tried = 0

    def enqueue(self, call: RefreshCall) -> None:
        self.tried += 1
        raise OSError("no broker")


class HangingQueue(BaseQueue):
    """A broker that accepts connections and never answers."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def enqueue(self, call: RefreshCall) -> None:
        self.release.wait(20)


def captured() -> CaptureQueue:
    """Return the process's queue, which a test's settings made a :class:`CaptureQueue`."""
    queue = get_queue()
    assert isinstance(queue, CaptureQueue)
    return queue


class Upstream:
    """What a :class:`Source` reads: a value that tests change, or an exception to raise."""

    def __init__(self) -> None:
        self.value: Any = "old"
        self.calls: list[Any] = []
        self.before: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing

    def answer(self, name: Any) -> Any:
        """Return what is there now; ``before`` and ``after`` are called around the look."""
        self.calls.append(name)
        self.before()
        value = self.value
        self.after()
        if isinstance(value, BaseException):
            raise value
        return value


def nothing() -> None:
    """Do nothing."""


class Source(Job):
    """A job over a value that tests change; it counts its fetches."""

    lifetime = 600

    def __init__(self) -> None:
        self.at = Upstream()  # one for all copies that using() makes

    def fetch(self, name: Any = "x") -> Any:
        return self.at.answer(name)


class TaggedSource(Source):
    """As :class:`Source`, with a tag of its own per name, and one in common."""

    def tags(self, name: Any = "x") -> list[str]:
        return [f"name:{name}", "all"]


class Steps:
    """A flow driven by hand: ``next`` is the step that it waits for."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._flow = flow
        self.next: Step | None = None
        self.result: Any = None
        self.is_done = False
        self._advance(lambda: next(flow))

    def run_next(self) -> None:
        """Do what the flow waits for and let it go on to the next step."""
        assert self.next is not None
        try:
            result = self.next.run()
        except BaseException as exc:
            error = exc
            self._advance(lambda: self._flow.throw(error))
        else:
            self._advance(lambda: self._flow.send(result))

    def run_until(self, kind: type[Step]) -> None:
        """Go on until a step of this kind comes next."""
        while not isinstance(self.next, kind):
            assert not self.is_done, "the flow has ended"
            self.run_next()

    def throw(self, exc: BaseException, *, after: bool = False) -> None:
        """Raise ``exc`` in the place of the next step, or ``after`` it was done."""
        assert self.next is not None
        if after:
            self.next.run()
        self._advance(lambda: self._flow.throw(exc))

    def finish(self) -> Any:
        """Run the rest; return the flow's result."""
        while not self.is_done:
            self.run_next()
        return self.result

    def _advance(self, go: Callable[[], Step]) -> None:
        try:
            self.next = go()
        except StopIteration as stop:
            self.result, self.is_done, self.next = stop.value, True, None


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Whatever is done in the block happens in another process: this one is told nothing."""
    kept = flights._flights, near._values, near.epoch
    flights._flights, near._values = {}, {}
    try:
        yield
    finally:
        flights._flights, near._values, near.epoch = kept


def in_threads(count: int, do: Callable[[int], Any], timeout: float = 30.0) -> list[Any]:
    """Call ``do(index)`` in that many threads at once; return results, or what was raised."""
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(index: int) -> None:
        start.wait(timeout)
        try:
            results[index] = do(index)
        except BaseException as exc:
            results[index] = exc
        finally:
            hang_up()

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive(), "a thread hangs"
    return results


def hang_up() -> None:
    """Close the connections that this thread's own caches opened: sockets that are left to the
    garbage collector are warnings, and so errors."""
    for cache in caches.all(initialized_only=True):
        for pool in getattr(getattr(cache, "_cache", None), "_pools", {}).values():
            pool.disconnect()


class Background:
    """``do()`` in a thread of its own."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._do()
        except BaseException as exc:
            self._error = exc
        finally:
            hang_up()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def result(self, timeout: float = 10.0) -> Any:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "it still runs"
        if self._error is not None:
            raise self._error
        return self._result


@contextlib.contextmanager
def listening(signal: Any) -> Iterator[list[dict[str, Any]]]:
    """Collect what a signal tells within the block."""
    told: list[dict[str, Any]] = []

    def receiver(sender: Any, **details: Any) -> None:
        told.append({"sender": sender, **details})

    signal.connect(receiver)
    try:
        yield told
    finally:
        signal.disconnect(receiver)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged at WARNING or above under ``cacheback``."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("cacheback") and record.levelno >= logging.WARNING
    ]


def make_stale(job: Job, *args: Any) -> None:
    """Let the cached value of a call have expired a second ago, long before its ``cache_ttl``."""
    slot = slot_of(job, *args)
    cache = caches[slot.alias]
    packed = cache.get(slot.key)
    assert packed is not None, "nothing is cached"
    cache.set(slot.key, (packed[0], time.time() - 1, *packed[2:]), None)


def path_of(cls: type) -> str:
    """Return the dotted path of a class, for settings."""
    return registry.dotted(cls)


def slot_of(job: Job, *args: Any, **kwargs: Any) -> Slot:
    """Return where a call of ``job`` is cached: what flows are about."""
    return job._slot_for(args, kwargs)
