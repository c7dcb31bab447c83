"""What goes wrong in production, when a test wants it: each is a context manager.

They may be nested. The inner one sees a refresh first: what it loses, the outer never sees.
All threads of this process are concerned, and no other process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

from django.core.cache import BaseCache
from django.db import close_old_connections

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine import outages
from cacheback_app.engine.state import State
from cacheback_app.engine.state.base import layers as cache_layers
from cacheback_app.engine.state.generic import GenericState
from cacheback_app.exceptions import QueueError
from cacheback_app.queues import RefreshCall

from .clock import on_advance
from .interposed import Send, interpose
from .refreshes import CapturedRefresh, Refreshes, capture_refreshes

__all__ = [
    "Delayed",
    "broker_down",
    "cache_down",
    "delay_tasks",
    "duplicate_tasks",
    "lose_tasks",
]


@contextmanager
def cache_down(alias: str | None = None) -> Iterator[None]:
    """Fail every call that jobs and tags make to the cache ``alias``; None is every cache.

    What the site asks ``django.core.cache`` for itself is not concerned, and what was cached is
    there again after the block.
    """
    with _log_of_its_own(), cache_layers.added(partial(_behind_no_answer, alias)):
        yield


@contextmanager
def broker_down() -> Iterator[None]:
    """Refuse every refresh, as a queue does whose broker is known to be down."""

    def refuse(call: RefreshCall, send: Send) -> NoReturn:
        raise QueueError("the broker is down") from ConnectionRefusedError("faults.broker_down()")

    with _log_of_its_own(), interpose(refuse):
        yield


@contextmanager
def _log_of_its_own() -> Iterator[None]:
    # One line in 30 seconds: the block has one, and takes none from an outage after it.
    outages.log.reset()
    try:
        yield
    finally:
        outages.log.reset()


@contextmanager
def lose_tasks() -> Iterator[Refreshes]:
    """Take every refresh and run none, as a broker that is flushed or a worker that is killed.

    Their claims stay, as they do then, until they lapse or the block ends. The result lists what
    was lost.
    """
    with capture_refreshes() as lost:
        yield lost


@contextmanager
def duplicate_tasks(times: int = 2) -> Iterator[None]:
    """Hand every refresh to the queue ``times`` times, as a broker that delivers at least once."""

    def repeat(call: RefreshCall, send: Send) -> None:
        for _ in range(times):
            send(call)

    with interpose(repeat, passes_on=True):
        yield


_EARLY = 0.05
"""Seconds by which a timer may run ahead of the wall clock."""


class Delayed(Refreshes):
    """Refreshes that were held up and reach their queue later. See :func:`delay_tasks`."""

    def __init__(self, delay: float | None) -> None:
        super().__init__()
        self._delay = delay
        self._waiting: dict[CapturedRefresh, tuple[float, Send]] = {}
        self._timers: list[threading.Timer] = []

    def hold(self, call: RefreshCall, send: Send) -> None:
        """Keep ``call`` from its queue until it is due, or released."""
        kept = self.keep(call)
        due = float("inf") if self._delay is None else time.time() + self._delay
        with self._lock:
            self._waiting[kept] = due, send
        if self._delay is not None:
            timer = threading.Timer(self._delay, self._arrive, [kept])
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def release(self) -> None:
        """Hand all that still waits to its queue now, oldest first."""
        for each in list(self._waiting):
            self._deliver(each)

    def release_due(self) -> None:
        """Hand on what is due by the clock."""
        now = time.time()
        for each, (due, _) in list(self._waiting.items()):
            if due <= now:
                self._deliver(each)

    def drop(self) -> None:
        """Forget what still waits, and end its claims."""
        for timer in self._timers:
            timer.cancel()
        for timer in self._timers:
            timer.join()
        with self._lock:
            left, self._waiting = list(self._waiting), {}
        for each in left:
            with suppress(Exception):  # as in Refreshes.lapse()
                each.lapse()

    def _arrive(self, kept: CapturedRefresh) -> None:
        due, _ = self._waiting.get(kept, (0.0, None))
        if due - time.time() > _EARLY:
            return  # a clock that stands still says not yet; advance() will deliver it
        # As before and after a request: a timer's thread has database connections of its own.
        close_old_connections()
        try:
            self._deliver(kept)
        finally:
            close_old_connections()

    def _deliver(self, kept: CapturedRefresh) -> None:
        with self._lock:
            _, send = self._waiting.pop(kept, (0.0, None))
        if send is not None:
            kept.times_run += 1
            # Who asked for it has gone on, so nobody is there to be told of a broker that is down.
            with suppress(QueueError):
                send(kept.call)


@contextmanager
def delay_tasks(delay: Duration | None = None) -> Iterator[Delayed]:
    """Hold every refresh up for ``delay``, or until ``release()`` is called on the result.

    Time is the real one, or that of ``fake_clock()``: then ``advance()`` delivers what is due, in
    the thread that calls it. What still waits when the block ends is forgotten, and its claim.
    """
    delayed = Delayed(seconds(delay))
    try:
        with on_advance(delayed.release_due), interpose(delayed.hold):
            yield delayed
    finally:
        delayed.drop()


class _NoAnswer(BaseCache):
    """A cache whose server cannot be reached."""

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConnectionError("faults.cache_down()")

    add = get = set = touch = delete = get_many = clear = _fail


def _behind_no_answer(wanted: str | None, alias: str, state: State) -> State:
    if wanted not in (None, alias):
        return state
    down = GenericState(_NoAnswer({}))
    down.is_local, down.is_atomic = state.is_local, state.is_atomic
    return down
