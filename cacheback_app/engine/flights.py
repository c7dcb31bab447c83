"""Single flight within a process: callers of one missing value wait for the first of them.

This is the singleflight of Go's ``golang.org/x/sync``, shared by threads and event loops. What
holds over processes and hosts is the claim in the cache; a flight spares the cache the crowd,
hands out the value when the cache is down, and hands a failure to everybody who waited for it.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from enum import Enum, auto
from typing import Any

from .forks import in_child


class Landing(Enum):
    """How a flight ended."""

    VALUE = auto()
    ERROR = auto()
    RETRY = auto()
    """Without an answer for others: each looks again for itself."""


class SharedCall:
    """A callable that exactly one of several threads runs, and whose result all of them get."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do
        self._taken = threading.Lock()
        self._done = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._value: Any = None
        self._error: BaseException | None = None

    def do_once(self) -> None:
        """Run it here, or wait for the thread that already does."""
        if not self.try_do():
            self._done.wait()

    def try_do(self) -> bool:
        """Run it here unless another thread already does; return whether it was run here."""
        if not self._taken.acquire(blocking=False):
            return False
        try:
            self._value = self._do()
        except BaseException as exc:
            self._error = exc  # result() raises it to whoever asked for the work
        finally:
            self._done.set()
            for callback in self._callbacks:
                callback()
        return True

    def withdraw(self) -> None:
        """See to it that nobody begins it any more, or waits for it to be done."""
        if self._taken.acquire(blocking=False):
            self._done.set()

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` once, or twice, when it is done, from whichever thread does it."""
        self._callbacks.append(callback)
        if self._done.is_set():
            callback()

    def result(self) -> Any:
        """Return the value, or raise what was raised."""
        if self._error is not None:
            raise self._error
        return self._value


class Flight:
    """One fetch that is under way in this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._callbacks: list[Callable[[], object]] = []
        self._work: SharedCall | None = None
        self._landing: Landing | None = None
        self._cargo: Any = None
        self.waiters = 0
        self.lapses_at = math.inf
        """Monotonic time at which the leader's claim lapses, and somebody else may lead."""

    def land(self, landing: Landing, cargo: Any = None) -> None:
        """End the flight for all who wait for it."""
        with self._changed:
            if self._landing is not None:
                return
            if landing is Landing.VALUE and self.waiters:
                cargo = _Copies(cargo)
            self._landing, self._cargo = landing, cargo
            self._changed.notify_all()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def answer(self) -> tuple[Landing, Any]:
        """Return how it ended, with the value (this caller's own copy) or the exception."""
        landing = self._landing or Landing.RETRY
        cargo = self._cargo.one() if isinstance(self._cargo, _Copies) else self._cargo
        return landing, cargo

    def wait(self, timeout: float) -> bool:
        """Wait in this thread; return whether the flight landed within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while self._landing is None:
            with self._changed:
                is_idle = self._landing is None and self._work is None
                left = min(deadline - time.monotonic(), threading.TIMEOUT_MAX)
                if is_idle and not self._changed.wait(left):
                    return False
                work, self._work = self._work, None
            if work is not None:
                work.try_do()
            elif time.monotonic() >= deadline:
                return self._landing is not None
        return True

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the flight has landed, from whichever thread lands it."""
        with self._changed:
            if self._landing is None:
                self._callbacks.append(callback)
                return
        callback()

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Do not call ``callback`` any more."""
        with self._changed, contextlib.suppress(ValueError):
            self._callbacks.remove(callback)

    def offer(self, work: SharedCall) -> None:
        """Let a thread that waits for this flight do ``work``."""
        with self._changed:
            self._work = work
            self._changed.notify()


class _Copies:
    """A value of which every waiter gets a copy, as if it had read it from the cache."""

    def __init__(self, value: Any) -> None:
        self._value = value
        try:
            self._pickled: bytes | None = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception:  # what can't be pickled can't be cached either; share the object
            self._pickled = None

    def one(self) -> Any:
        if self._pickled is not None:
            with contextlib.suppress(Exception):  # nor can what is pickled, and not read again
                return pickle.loads(self._pickled)  # noqa: S301 - by this process, a moment ago
        return self._value


class Flights:
    """The flights of this process by key. No more than there are callers, so always bounded."""

    def __init__(self) -> None:
        self.reset()
        # The leaders of a parent's flights do not exist in its forked children.
        in_child(self.reset)

    def reset(self) -> None:
        """Forget all flights."""
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Flight] = {}

    def join(self, key: Hashable) -> tuple[Flight, bool]:
        """Return the flight for ``key``, and whether the caller is the one to fly it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.waiters += 1
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def leave(self, key: Hashable, flight: Flight) -> None:
        """Let callers who come from now on start a flight of their own."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def detach(self, key: Hashable) -> None:
        """As :meth:`leave`, for whatever flight there is: what it brings will be out of date."""
        with self._lock:
            self._flights.pop(key, None)

    def land(self, key: Hashable, flight: Flight, landing: Landing, cargo: Any = None) -> None:
        """End the flight for those who wait for it, and for nobody who comes after them."""
        self.leave(key, flight)
        flight.land(landing, cargo)

    @contextlib.contextmanager
    def leading(self, key: Hashable, flight: Flight) -> Iterator[Callable[[Any], None]]:
        """Land ``flight`` when the block ends, however it does.

        Who waits gets the value that the block handed to the function it is given, or the
        exception that left it; without either each looks again for itself.
        """
        landing, cargo = Landing.RETRY, None

        def bring(value: Any) -> None:
            nonlocal landing, cargo
            landing, cargo = Landing.VALUE, value

        try:
            yield bring
        except Exception as exc:
            landing, cargo = Landing.ERROR, exc
            raise
        finally:
            self.land(key, flight, landing, cargo)

    def __len__(self) -> int:
        return len(self._flights)


flights = Flights()
