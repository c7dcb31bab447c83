"""Django's local memory cache with a yield point at each of its critical sections.

Nothing of the cache or of the engine is written anew. Taking the cache's lock is where another
caller may come in between, and the dictionaries behind it tell who looked at what, and who wrote.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from . import stage


class _Lock:
    """A lock that lets the scheduler choose who goes on before it is taken."""

    def __enter__(self) -> None:
        stage.pause("cache")

    def __exit__(self, *_: object) -> None:
        """Only one caller runs at a time, so there is nothing to give back."""


class _Contents(OrderedDict[str, bytes]):
    """Tells the stage of every write."""

    deadlines: dict[str, float | None]

    def live(self, key: str) -> bytes | None:
        """Return what is stored and has not expired."""
        ends = dict.get(self.deadlines, key, 0.0)  # which nobody is told of
        return self.get(key) if ends is None or ends > time.time() else None

    def __setitem__(self, key: str, value: bytes) -> None:
        before = self.live(key)
        super().__setitem__(key, value)
        stage.wrote(_short(key), before, value)

    def __delitem__(self, key: str) -> None:
        before = self.live(key)
        super().__delitem__(key)
        stage.wrote(_short(key), before, None)


class _Deadlines(dict[str, float | None]):
    """Tells the stage of every look: the cache asks for a key's deadline before all else."""

    contents: _Contents

    def get(self, key: str, default: Any = None) -> Any:
        stage.saw(_short(key), self.contents.live(key))
        return super().get(key, default)


def _short(key: str) -> str:
    """Return a key without what Django puts before it."""
    return key.partition(":1:")[2]


class AtomicCache(LocMemCache):
    """Served by ``LocMemState``: one transaction is one step, as it is on Redis.

    ``get_many`` looks at one key a step, which Redis does not even allow.
    """

    _cache: _Contents
    _expire_info: _Deadlines

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        self._lock = _Lock()
        self._cache, self._expire_info = _Contents(), _Deadlines()
        self._expire_info.contents, self._cache.deadlines = self._cache, self._expire_info

    def snapshot(self) -> dict[str, tuple[bytes, float | None]]:
        """Return what a reader could find now, with the deadlines."""
        return {
            _short(key): (raw, self._expire_info[key])
            for key in self._cache
            if (raw := self._cache.live(key)) is not None
        }


class PlainCache(AtomicCache):
    """Served by ``GenericState``, as each of Django's methods is all that is indivisible here."""

    def set(self, *args: Any, **kwargs: Any) -> None:
        """See LocMemCache.set(). Overridden, so that the engine sees a backend it does not know."""
        super().set(*args, **kwargs)
