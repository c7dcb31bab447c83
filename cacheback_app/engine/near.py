"""Values that this process may serve from its own memory for ``local_ttl`` seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Any

from cacheback_app.conf import on_change

from .forks import in_child

CAPACITY = 10_000
"""Values kept at most; beyond it, the oldest tenth goes."""


class NearCache:
    """A bounded map from key to value with a deadline each, a Unix timestamp.

    Reading is one dict lookup without a lock. Every removal moves the epoch, so that a value
    read from the cache before the removal is not put back after it, not even for a moment.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self.epoch = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew, with no thread at work."""
        self._lock = threading.RLock()  # a value that goes may have things to do, here too
        self._values: dict[Hashable, tuple[float, Any]] = {}

    def get(self, key: Hashable) -> tuple[float, Any] | None:
        """Return ``(deadline, value)``, or None; the caller compares with ``time.time()``."""
        return self._values.get(key)

    def put(self, key: Hashable, value: Any, deadline: float, epoch: int) -> None:
        """Keep ``value`` until ``deadline`` unless something was removed since ``epoch``."""
        if deadline <= time.time():
            return
        with self._lock:
            if epoch == self.epoch:
                if len(self._values) >= self._capacity:
                    self._shrink()
                self._values[key] = (deadline, value)

    def remove(self, key: Hashable) -> None:
        """Forget one value."""
        with self._lock:
            self.epoch += 1
            self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.epoch += 1
            self._values.clear()

    def _shrink(self) -> None:
        for key in list(self._values)[: self._capacity // 10 + 1]:
            self._values.pop(key, None)


near = NearCache()
on_change(near.clear, "CACHES")
in_child(near.reset)  # whose lock another thread of the parent may have held
