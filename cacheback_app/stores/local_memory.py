"""The memory of this process."""

from __future__ import annotations

import threading
import time

from cacheback_app.engine.forks import watch

from .checked import CheckedStore


class LocalMemoryStore(CheckedStore):
    """Keeps entries in a dict: shared by the threads of one process, and gone with it."""

    is_local = True

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[str, float | None]] = {}
        self._sweep_at = 1000
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._lock = threading.Lock()

    def _get(self, pk: str, sk: str) -> str | None:
        # No lock: a dict gives one whole entry or another.
        entry = self._entries.get((pk, sk))
        if entry is None:
            return None
        value, expires = entry
        return value if expires is None or time.time() < expires else None

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        expires = None if lifetime is None else time.time() + lifetime
        with self._lock:
            if not_set and self._get(pk, sk) is not None:
                return False
            if constraint is not None and self._get(pk, sk) != constraint:
                return False
            self._entries[pk, sk] = value, expires
            if len(self._entries) >= self._sweep_at:
                self._sweep()
        return True

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        with self._lock:
            if constraint is not None and self._get(pk, sk) != constraint:
                return False
            self._entries.pop((pk, sk), None)
        return True

    def _delete_expired(self) -> int:
        with self._lock:
            return self._sweep()

    def _sweep(self) -> int:
        """Drop what has expired. That the next time is at twice the size keeps writes O(1)."""
        now = time.time()
        gone = [key for key, (_, ends) in self._entries.items() if ends is not None and ends <= now]
        for key in gone:
            del self._entries[key]
        self._sweep_at = max(1000, 2 * len(self._entries))
        return len(gone)
