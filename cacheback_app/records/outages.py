"""Servers that fail are left alone for a while, so that stale answers are given at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

from cacheback_app.engine.forks import watch


@dataclass(frozen=True, slots=True)
class Outage:
    """A failure, and until when (monotonic) nobody who has a stale answer asks again."""

    error: Exception
    until: float


class Outages:
    """The outages of this process by what failed. An outage that is over is forgotten."""

    def __init__(self) -> None:
        self._outages: dict[Hashable, Outage] = {}
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share: a thread may hold it that the child doesn't have."""
        self._lock = threading.Lock()

    def begin(self, what: Hashable, error: Exception, seconds: float) -> None:
        """Remember that ``what`` failed, for ``seconds``."""
        now = time.monotonic()
        with self._lock:
            current = {key: one for key, one in self._outages.items() if one.until > now}
            current[what] = Outage(error, now + seconds)
            self._outages = current

    def end(self, *what: Hashable) -> None:
        """Forget what is known to work again."""
        with self._lock:
            for one in what:
                self._outages.pop(one, None)

    def error(self, *what: Hashable) -> Exception | None:
        """Return how any of ``what`` failed a moment ago, None if none did."""
        now = time.monotonic()
        found = (self._outages.get(one) for one in what)
        return next((one.error for one in found if one is not None and one.until > now), None)
