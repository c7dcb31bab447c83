"""The other libraries that are measured beside. Each is imported only where it is used."""

import asyncio
from collections.abc import Callable
from typing import Any

from .report import CACHETOOLS, CASHEWS, DISKCACHE, SWR, is_installed


def dogpile_local() -> Any:
    """Return a region in local memory that pickles, as Django's does."""
    return _region("dogpile.cache.memory_pickle", {})


def dogpile_redis(url: str) -> Any:
    """Return a region on Redis, whose lock holds over processes."""
    arguments = {"url": url, "distributed_lock": True, "thread_local_lock": False}
    return _region("dogpile.cache.redis", {**arguments, "lock_timeout": 60})


def dogpile_memcached(address: str) -> Any:
    """Return a region on memcached, by the client that Django's backend uses, too."""
    return _region("dogpile.cache.pymemcache", {"url": address})


def _region(backend: str, arguments: dict[str, Any]) -> Any:
    from dogpile.cache import make_region

    return make_region().configure(backend, expiration_time=600, arguments=arguments)


def swr(alias: str, **ages: float) -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
    """Return the decorator of django-swr-memoize on a Django cache, None where it is absent.

    :param ages: how long a value is fresh, and served at all; 600 seconds by default.
    """
    if not is_installed(SWR):
        return None
    from django.core.cache import caches
    from swr_memoize import Memoizer

    memoize = Memoizer(cache=caches[alias]).memoize
    return memoize(**(ages or {"max_age": 600, "fresh_for": 600}))  # type: ignore[arg-type]


def cachetools(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return ``function`` cached in a dict under a lock, None where cachetools is absent."""
    if not is_installed(CACHETOOLS):
        return None
    from threading import Lock

    from cachetools import TTLCache, cached

    return cached(TTLCache(maxsize=10_000, ttl=600), lock=Lock())(function)


def diskcache(folder: str) -> Any:
    """Return a cache in a folder, None where diskcache is absent."""
    if not is_installed(DISKCACHE):
        return None
    from diskcache import Cache

    return Cache(folder)


class Cashews:
    """A cashews cache in an event loop of its own; it has no synchronous calls."""

    def __init__(self, url: str) -> None:
        import cashews

        self.loop = asyncio.new_event_loop()
        self.cache = cashews.Cache()
        self.cache.setup(url)

    def cached(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``fetch`` (``async def fetch(name)``) cached, one fetch at a time."""
        return self.cache(ttl="10m", key="cashews:{name}", lock=True)(fetch)

    def close(self) -> None:
        """Close its connections."""
        self.loop.run_until_complete(self.cache.close())
        self.loop.close()


def cashews(url: str) -> Cashews | None:
    """Return a cashews cache at ``url``, None where cashews is absent."""
    return Cashews(url) if is_installed(CASHEWS) else None
