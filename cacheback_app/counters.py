"""What went wrong in this process, by job: a listener to the signals, and the least of metrics."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from django.dispatch import Signal

from . import signals

_COUNTED: dict[str, Signal] = {
    "refresh_failed": signals.refresh_failed,
    "dispatch_failed": signals.dispatch_failed,
    "refresh_dropped": signals.refresh_dropped,
}


class Counters:
    """Counts failures since the process began. As many entries as there are jobs, at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def connect(self) -> None:
        """Listen to the signals; once is enough, and twice is no more."""
        for name, signal in _COUNTED.items():
            signal.connect(self._receiver(name), weak=False, dispatch_uid=f"counters.{name}")

    def count(self, name: str, job: str) -> int:
        """Return how often the signal ``name`` was sent for the job at the dotted path ``job``."""
        with self._lock:
            return self._counts[name, job]

    def all(self) -> dict[tuple[str, str], int]:
        """Return all counts by signal and job."""
        with self._lock:
            return dict(self._counts)

    def _receiver(self, name: str) -> Any:
        def receive(job: str, **details: object) -> None:
            with self._lock:
                self._counts[name, job] += 1

        return receive


counters = Counters()
"""The counts of this process."""
