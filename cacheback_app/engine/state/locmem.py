"""Django's local memory cache: transactions under the cache's own lock."""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from .base import ABSENT, ANY, NOTHING, TAIL, Found, Op, Outcome, State, Write, overrides, storing


class LocMemState(State):
    """Local memory, atomic over the threads of its process (there are no others)."""

    is_atomic = True
    is_local = True

    cache: Any

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        """Return whether ``cache`` stores the way that ``LocMemCache`` does."""
        names = ("set", "add", "delete", "touch", "_set", "_delete", "_has_expired")
        return isinstance(cache, LocMemCache) and not overrides(cache, LocMemCache, *names)

    def apply(self, ops: Sequence[Op]) -> Outcome:
        # Pickled outside of the lock: a value's own __reduce__ may use the cache.
        made = {op.key: (self.cache.make_and_validate_key(op.key), self._dumps(op)) for op in ops}
        with self.cache._lock:
            found: dict[str, Found] = {}
            for op in ops:
                raw = self._raw(made[op.key][0])
                if op.look and not (op.known and raw is not ABSENT and op.known in raw[-TAIL:]):
                    found[op.key] = Found(raw, None)
                if op.expect is not ANY and op.expect != raw:
                    return Outcome(False, self._decode(found))
            for op in ops:
                self._write(op, *made[op.key], found)
        wrote = {op.key: made[op.key][1] for op in ops if op.write is Write.PUT}
        return Outcome(True, self._decode(found), wrote)

    def _dumps(self, op: Op) -> bytes | None:
        if op.write in (Write.PUT, Write.ENSURE, Write.REPLACE):
            with storing():
                return pickle.dumps(op.value, self.cache.pickle_protocol)
        return None

    def _raw(self, key: str) -> Any:
        return ABSENT if self.cache._has_expired(key) else self.cache._cache[key]

    def _write(self, op: Op, key: str, raw: bytes | None, found: dict[str, Found]) -> None:
        is_there = not self.cache._has_expired(key)
        match op.write:
            case Write.PUT:
                self.cache._set(key, raw, op.ttl)
            case Write.DROP:
                self.cache._delete(key)
            case Write.REPLACE if is_there:
                self.cache._cache[key] = raw
            case Write.ENSURE if is_there:
                self._extend(key, op.ttl)
            case Write.ENSURE:
                self.cache._set(key, raw, op.ttl)
                found[op.key] = Found(raw, None)

    def _extend(self, key: str, ttl: float | None) -> None:
        ends = self.cache._expire_info[key]
        if ends is not None:
            self.cache._expire_info[key] = None if ttl is None else max(ends, time.time() + ttl)

    def _decode(self, found: dict[str, Found]) -> dict[str, Found]:
        return {
            key: Found(item.raw, _loads(item.raw)) if item.raw is not ABSENT else NOTHING
            for key, item in found.items()
        }


def _loads(raw: bytes) -> Any:
    try:
        return pickle.loads(raw)  # noqa: S301 - Django's cache pickles; see docs/security.md
    except Exception:  # unpickling may raise anything; what can't be decoded is a miss
        return None
