"""Values that this process may serve from its own memory for ``local_ttl`` seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any

from cacheback_app.conf import on_change

CAPACITY = 10_000
"""Values kept at most; beyond it, the oldest tenth goes."""


class NearCache:
    """A bounded map from key to value with a deadline each, a Unix timestamp.

    Reading is one dict lookup without a lock. Every removal moves the epoch, so that a value
    read from the cache before the removal is not put back after it.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._values: dict[Hashable, tuple[float, Any]] = {}
        self.get: Callable[[Hashable], tuple[float, Any] | None] = self._values.get
        """Returns ``(deadline, value)``, or None; the caller compares with ``time.time()``."""
        self._epochs = count(1)  # "+= 1" may lose one of two removals at once
        self.epoch = 0

    def put(self, key: Hashable, value: Any, ttl: float, epoch: int) -> None:
        """Keep ``value`` for ``ttl`` seconds unless something was removed since ``epoch``."""
        if epoch != self.epoch or ttl <= 0:
            return
        if len(self._values) >= self._capacity:
            self._shrink()
        self._values[key] = (time.time() + ttl, value)
        if epoch != self.epoch:  # removed between the check and the write
            self._values.pop(key, None)

    def remove(self, key: Hashable) -> None:
        """Forget one value."""
        self.epoch = next(self._epochs)
        self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.epoch = next(self._epochs)
        self._values.clear()

    def _shrink(self) -> None:
        for key in list(self._values)[: self._capacity // 10 + 1]:
            self._values.pop(key, None)


near = NearCache()
on_change(near.clear, "CACHES")
