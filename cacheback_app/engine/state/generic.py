"""Any Django cache backend: as atomic as ``add`` is, and otherwise check, then write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from django.core.cache import BaseCache

from .base import ABSENT, ANY, LONGEST, NOTHING, Found, Op, Outcome, State, Write, storing


class GenericState(State):
    """A backend of which we know no more than Django's cache API."""

    def __init__(self, cache: BaseCache) -> None:
        super().__init__(cache)
        self.can_drop_writes = _is_memcached(cache)

    def apply(self, ops: Sequence[Op]) -> Outcome:
        rest = [op for op in ops if _is_not_add(op)]
        is_conditional = any(op.expect is not ANY for op in rest)
        found = self._read(ops) if is_conditional else {}
        for op in rest:
            if not _holds(op, found.get(op.key, NOTHING)):
                return Outcome(False, found)
        for op in ops:
            if not _is_not_add(op) and not self._add(op):
                return Outcome(False, self._read(ops))
        if not is_conditional:  # then what is there counts from when the claim was taken
            found = self._read(rest)
        # First the rights that running fetches have to write, then what they must not overwrite.
        for op in sorted(rest, key=lambda op: op.write is not Write.DROP):
            self._write(op, found)
        return Outcome(True, found, {op.key: op.value for op in ops if op.write is Write.PUT})

    @storing()
    def _add(self, op: Op) -> bool:
        """Do the one thing that every backend makes indivisible: who loses here has lost."""
        return bool(self.cache.add(op.key, op.value, _whole(op.ttl)))

    def _read(self, ops: Sequence[Op]) -> dict[str, Found]:
        keys = [op.key for op in ops if _must_read(op)]
        if not keys:
            return {}
        return {key: Found(value, value) for key, value in self.get_many(keys).items()}

    @storing()
    def _write(self, op: Op, found: dict[str, Found]) -> None:
        match op.write:
            case Write.PUT:
                self.cache.set(op.key, op.value, _whole(op.ttl))
            case Write.DROP:
                self.cache.delete(op.key)
            case Write.REPLACE if op.key in found:
                self.cache.set(op.key, op.value, _whole(op.ttl))
            case Write.ENSURE if op.key in found:
                self.cache.touch(op.key, _whole(op.ttl))
            case Write.ENSURE:
                self.cache.add(op.key, op.value, _whole(op.ttl))
                there = self.cache.get(op.key)
                found[op.key] = NOTHING if there is None else Found(there, there)


def _is_not_add(op: Op) -> bool:
    return op.write is not Write.PUT or op.expect is not ABSENT


def _must_read(op: Op) -> bool:
    if not _is_not_add(op):
        return op.look
    return op.look or op.expect is not ANY or op.write in (Write.ENSURE, Write.REPLACE)


def _holds(op: Op, found: Found) -> bool:
    if op.expect is ANY or not _is_not_add(op):
        return True
    if op.expect is ABSENT or found is NOTHING:
        return op.expect is found.raw
    return bool(_identity(op.expect) == _identity(found.raw))


def _identity(raw: Any) -> Any:
    """Return what tells two stored things apart, without comparing what users cached."""
    return (raw[:2], raw[3:]) if isinstance(raw, tuple) else raw


def _whole(ttl: float | None) -> int | None:
    """Return a time to live in the whole seconds that most backends know, never 0."""
    return None if ttl is None or ttl > LONGEST else max(1, math.ceil(ttl))


def _is_memcached(cache: BaseCache) -> bool:
    from django.core.cache.backends.memcached import BaseMemcachedCache

    return isinstance(cache, BaseMemcachedCache)
