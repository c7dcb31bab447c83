"""Django's local memory cache over a world, with a yield point at each of its critical sections.

Nothing of the cache or of the engine is written anew. Taking the cache's lock is where another
caller may come in between, and the dictionaries behind it ask the world.
"""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from .players import ask, pause
from .world import World


class _Lock:
    """A lock that lets the scheduler choose who goes on before it is taken."""

    def __enter__(self) -> None:
        pause("cache")

    def __exit__(self, *_: object) -> None:
        """Only one caller runs at a time, so there is nothing to give back."""


class _Contents:
    """What is stored, by key."""

    def __getitem__(self, key: str) -> bytes:
        raw: bytes | None = ask(World.look, _short(key))
        if raw is None:
            raise KeyError(key)
        return raw

    def __setitem__(self, key: str, raw: bytes) -> None:
        ask(World.store, _short(key), raw)

    def __delitem__(self, key: str) -> None:
        if not ask(World.drop, _short(key)):
            raise KeyError(key)

    def __len__(self) -> int:
        return 0  # so that nothing is thrown away to make room

    def move_to_end(self, key: str, last: bool = True) -> None:
        """Who was asked for lately matters to a full cache only."""


class _Deadlines:
    """Until when it is stored. The cache asks for a key's deadline before all else."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return None, which is never, for what is there: the world knows what has expired."""
        return default if ask(World.look, _short(key)) is None else None

    def __getitem__(self, key: str) -> float | None:
        deadline: float | None = ask(World.deadline, _short(key))
        return deadline

    def __setitem__(self, key: str, deadline: float | None) -> None:
        ask(World.expire, _short(key), deadline)

    def __delitem__(self, key: str) -> None:
        """It went with what was stored."""


def _short(key: str) -> str:
    """Return a key without what Django puts before it."""
    return key.partition(":1:")[2]


class AtomicCache(LocMemCache):
    """Served by ``LocMemState``: one transaction is one step, as it is on Redis.

    ``get_many`` looks at one key a step, which Redis does not even allow.
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        self._lock, self._cache, self._expire_info = _Lock(), _Contents(), _Deadlines()


class PlainCache(AtomicCache):
    """Served by ``GenericState``, as each of Django's methods is all that is indivisible here."""

    def set(self, *args: Any, **kwargs: Any) -> None:
        """See LocMemCache.set(). Overridden, so that the engine sees a backend it does not know."""
        super().set(*args, **kwargs)
