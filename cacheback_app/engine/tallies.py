"""How often jobs are read: the one statistic that is taken on every hit.

A hit takes a few microseconds, and sending a Django signal takes one. So reads are counted with
``itertools.count``: in CPython, with its global lock, ``next()`` on it cannot be interrupted, so
that nothing is lost between threads, for some 40 ns. (A build without that lock may lose a few.)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from itertools import count

from .status import HIT

MAX_NAMES = 2000
"""Jobs that are counted under their own names. Sites have hundreds; classes that are made
without end must not fill the memory, nor a metrics server."""

OTHER = "(other)"
"""The name of all jobs beyond :data:`MAX_NAMES`."""


class Tally:
    """The reads of one job by status, and the counter of its hits while somebody collects it."""

    __slots__ = ("_counters", "_taken", "live")

    live: count[int] | None
    """None until the next hit, which then calls :meth:`wake`."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew."""
        self._counters = (count(), count(), count())
        self._taken = [0, 0, 0]
        self.live = None

    def wake(self, args: tuple[object, ...] = ()) -> count[int]:
        """Return the counter of hits, and tell who collects that there is something again."""
        counter = self.live = self._counters[HIT]
        tallies.on_wake()
        return counter

    def add(self, status: int) -> None:
        """Count one read."""
        next(self._counters[status])
        if self.live is None:
            self.wake()

    def take(self) -> tuple[int, int, int]:
        """Return how many reads there were since the last time, by status. For one thread."""
        new = []
        for status, counter in enumerate(self._counters):
            now = next(counter)
            new.append(now - self._taken[status])
            self._taken[status] = now + 1  # this look counted as well
        return new[0], new[1], new[2]


class Tallies:
    """The tallies of this process, by the jobs' dotted paths."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Tally] = {}
        self.on_wake: Callable[[], None] = _nobody_collects
        os.register_at_fork(after_in_child=self._after_fork)

    def of(self, path: str) -> Tally:
        """Return the tally of the job at ``path``."""
        return self._known.get(path) or self._make(path)

    def take(self) -> dict[str, tuple[int, int, int]]:
        """Return the reads since the last time, of jobs that had any."""
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
