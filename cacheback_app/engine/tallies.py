"""How often jobs are read, and what their stale reads bring: what is counted on a request's path.

A hit takes a few microseconds, and sending a Django signal takes one. So this is counted with
``itertools.count``: in CPython, with its global lock, ``next()`` on it cannot be interrupted, so
that nothing is lost between threads, for some 40 ns. (A build without that lock may lose a few.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from .forks import in_child
from .status import HIT, MISS, STALE

MAX_NAMES = 2000
"""Jobs that are counted under their own names. Sites have hundreds; classes that are made
without end must not fill the memory, nor a metrics server."""

OTHER = "(other)"
"""The name of all jobs beyond :data:`MAX_NAMES`."""


DISPATCHED = 3
"""Counted like a status: a refresh was handed to the queue."""


class Counted(NamedTuple):
    """What happened to a job since the last time."""

    misses: int = 0
    hits: int = 0
    stale: int = 0
    dispatched: int = 0
    oldest: tuple[float, str] | None = None
    """Age in seconds and key of the oldest value that was served stale."""


class Tally:
    """What is counted of one job, and the counter of its hits while somebody collects it."""

    __slots__ = ("_counters", "_lock", "_oldest", "_taken", "live")

    live: count[int] | None
    """None until the next hit, which then calls :meth:`wake`."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew."""
        self._counters = {what: count() for what in (MISS, HIT, STALE, DISPATCHED)}
        self._taken = dict.fromkeys(self._counters, 0)
        self._lock = threading.Lock()
        self._oldest: tuple[float, str] | None = None
        self.live = None

    def wake(self, args: tuple[object, ...] = ()) -> count[int]:
        """Return the counter of hits, and tell who collects that there is something again."""
        counter = self.live = self._counters[HIT]
        tallies.on_wake()
        return counter

    def add(self, what: int) -> None:
        """Count one read by its status, or one :data:`DISPATCHED`."""
        next(self._counters[what])
        if self.live is None:
            self.wake()

    def served(self, age: float, key: str) -> None:
        """Remember a value that was served stale if none was older."""
        if self._oldest is None or age > self._oldest[0]:  # most are not, and cost no lock
            with self._lock:
                self._oldest = max((age, key), self._oldest or (age, key))

    def take(self) -> Counted:
        """Return what happened since the last time. For one thread."""
        new = {}
        for what, counter in self._counters.items():
            now = next(counter)
            new[what] = now - self._taken[what]
            self._taken[what] = now + 1  # this look counted as well
        with self._lock:
            oldest, self._oldest = self._oldest, None
        return Counted(new[MISS], new[HIT], new[STALE], new[DISPATCHED], oldest)


class Tallies:
    """The tallies of this process, by the jobs' dotted paths."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Tally] = {}
        self.on_wake: Callable[[], None] = _nobody_collects
        in_child(self._after_fork)

    def of(self, path: str) -> Tally:
        """Return the tally of the job at ``path``."""
        return self._known.get(path) or self._make(path)

    def take(self) -> dict[str, Counted]:
        """Return what happened since the last time, of jobs to which anything did."""
        with self._lock:
            taken = {path: tally.take() for path, tally in self._known.items()}
        return {path: new for path, new in taken.items() if any(new)}

    def sleep(self) -> None:
        """Have :attr:`on_wake` called by the next read of any job."""
        with self._lock:
            for tally in self._known.values():
                tally.live = None

    def _make(self, path: str) -> Tally:
        with self._lock:
            path = path if len(self._known) < MAX_NAMES else OTHER
            return self._known.setdefault(path, Tally())

    def _after_fork(self) -> None:
        # What was counted before is the parent's.
        self._lock = threading.Lock()
        for tally in self._known.values():
            tally.renew()


def _nobody_collects() -> None:
    """The app is not installed."""


tallies = Tallies()
