"""Mini-transactions over a Django cache: compare some keys, and if all agree, write some keys.

The idea is that of Aguilera et al., "Sinfonia: a new paradigm for building scalable distributed
systems", SOSP 2007, for the few keys that belong to one cached call. Redis and local memory do
it atomically. For any other backend :class:`GenericState` comes as near as Django's cache API
allows; ``docs/protocol.md`` states the window that is left.
"""

from __future__ import annotations

import pickle
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ContextDecorator
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from django.core.cache import BaseCache, caches
from django.core.exceptions import SynchronousOnlyOperation

from cacheback_app.conf import on_change
from cacheback_app.engine.layers import Layers
from cacheback_app.exceptions import UnstorableValue


class Expect(Enum):
    """What a transaction asks of a key besides a certain value."""

    ANY = "any"
    ABSENT = "absent"


class Write(Enum):
    """What a transaction does to a key."""

    KEEP = "keep"
    PUT = "put"
    ENSURE = "ensure"
    """Put if absent; otherwise keep the value and let it live at least as long."""
    REPLACE = "replace"
    """Put if present, with the time to live that is left."""
    DROP = "drop"


ANY: Final = Expect.ANY
ABSENT: Final = Expect.ABSENT


class Op(NamedTuple):
    """What one transaction asks of one key and does to it."""

    key: str
    write: Write = Write.KEEP
    value: Any = None
    ttl: float | None = None
    expect: Any = ANY
    """ANY, ABSENT, or the ``raw`` of an earlier :class:`Found`."""
    look: bool = False
    """Whether the outcome shall tell what was there before (for ENSURE: what is there after)."""
    known: bytes | None = None
    """The outcome need not tell what has these bytes among its last ones: the caller knows it."""


def look(key: str, expect: Any = ANY, *, known: bytes | None = None) -> Op:
    """Return an operation that reads ``key``.

    :param known: bytes that are nowhere but near the end of what the caller has read already. A
        backend that can tell then spares it the same again, as if nothing were there.
    """
    return Op(key, expect=expect, look=True, known=known)


def put(key: str, value: Any, ttl: float | None, expect: Any = ANY, look: bool = False) -> Op:
    """Return an operation that stores ``value`` for ``ttl`` seconds (None: for ever)."""
    return Op(key, Write.PUT, value, ttl, expect, look)


def replace(key: str, value: Any, ttl: float | None, expect: Any = ANY) -> Op:
    """Return an operation that changes what is stored and leaves its time to live.

    :param ttl: what is left of it, for backends that can't tell.
    """
    return Op(key, Write.REPLACE, value, ttl, expect)


def ensure(key: str, value: Any, ttl: float | None) -> Op:
    """Return an operation that stores ``value`` unless there is one, and tells which is there."""
    return Op(key, Write.ENSURE, value, ttl, look=True)


def drop(key: str, expect: Any = ANY) -> Op:
    """Return an operation that removes ``key``."""
    return Op(key, Write.DROP, expect=expect)


class Found(NamedTuple):
    """What a transaction read: ``raw`` to expect it again, ``value`` as it was put, or None."""

    raw: Any
    value: Any


NOTHING: Final = Found(ABSENT, None)

TAIL: Final = 1024
"""How many of the last bytes of what is stored are searched for ``Op.known``."""


LONGEST: Final = 1e10
"""Seconds, some 300 years; longer is for ever, as backends have no numbers for it."""


class Outcome(NamedTuple):
    """Whether a transaction was applied, and what it read until it was or was refused."""

    applied: bool
    found: Mapping[str, Found] = MappingProxyType({})
    wrote: Mapping[str, Any] = MappingProxyType({})
    """The ``raw`` of every value that it put."""

    def value(self, key: str) -> Any:
        """Return the decoded value that was read at ``key``, None when there was none."""
        return self.found.get(key, NOTHING).value

    def raw(self, key: str) -> Any:
        """Return what to expect of ``key`` from now on."""
        return self.wrote[key] if key in self.wrote else self.found.get(key, NOTHING).raw


class State(ABC):
    """A cache backend as the protocol sees it. One instance serves one thread."""

    is_atomic: bool = False
    """Whether a transaction is indivisible over all threads, processes and hosts."""
    is_local: bool = False
    """Whether it never waits for I/O, so that an event loop may call it."""
    can_drop_writes: bool = False
    """Whether a write may be lost without an error (memcached: values over 1 MB)."""

    def __init__(self, cache: BaseCache) -> None:
        self.cache = cache

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        """Return whether this class knows the backend of ``cache``."""
        return False

    def get(self, key: str) -> Any:
        """Return what is stored at ``key``, None when nothing is."""
        return self.cache.get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the keys that are there, in one round trip where the backend can."""
        return dict(self.cache.get_many(keys))

    @abstractmethod
    def apply(self, ops: Sequence[Op]) -> Outcome:
        """Apply ``ops`` if every expectation holds, checking in the order given."""

    def apply_many(self, transactions: Sequence[Sequence[Op]]) -> list[Outcome]:
        """Apply independent transactions, in one round trip where the backend can."""
        return [self.apply(ops) for ops in transactions]


_local = threading.local()


def state_for(alias: str) -> State:
    """Return this thread's view of the cache ``alias``.

    ``caches[alias]`` costs about half as much as a whole read of local memory, hence the
    memory; like Django's own, it is per thread because not every client may be shared.

    :raises InvalidCacheBackendError: for an alias that is not configured.
    """
    try:
        known: State = _local.states[alias]
    except (AttributeError, KeyError):
        return _remember(alias)
    return known


def _remember(alias: str) -> State:
    local = _local  # another thread may have it replaced meanwhile
    state = layers.over(alias, build(caches[alias]))
    if not hasattr(local, "states"):
        local.states = {}
    local.states[alias] = state
    return state


def build(cache: BaseCache) -> State:
    """Return the state over ``cache`` that knows its backend best."""
    from . import django_redis, generic, locmem, redis

    kinds: tuple[type[State], ...] = (
        locmem.LocMemState,
        redis.RedisState,
        django_redis.DjangoRedisState,
    )
    return next((kind for kind in kinds if kind.serves(cache)), generic.GenericState)(cache)


def _forget() -> None:
    global _local
    _local = threading.local()


on_change(_forget, "CACHES", "CACHEBACK_CACHE_ALIAS")

layers: Layers[State] = Layers(_forget)
"""What tests put between the protocol and a cache (see ``cacheback_app.testing``)."""


# The last is that of a query set inside of a value, which an event loop may not evaluate.
_REFUSALS = (
    pickle.PicklingError,
    AttributeError,
    TypeError,
    RecursionError,
    SynchronousOnlyOperation,
)


class storing(ContextDecorator):
    """Turn what serialisers raise for a value that they refuse into :exc:`UnstorableValue`."""

    # No generator: every stale read comes by here.

    def __enter__(self) -> None:
        """Nothing is needed yet."""

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        if isinstance(exc, _REFUSALS):
            raise UnstorableValue(f"{type(exc).__name__}: {exc}") from exc


def overrides(cache: BaseCache, base: type[BaseCache], *names: str) -> bool:
    """Return whether ``cache`` does any of the methods ``names`` its own way.

    Such a backend has semantics that we can't know, and must not be gone around.
    """
    return any(getattr(type(cache), name) is not getattr(base, name) for name in names)
