"""The other libraries that are measured beside."""

import asyncio
from collections.abc import Callable
from typing import Any

import cashews
from dogpile.cache import make_region
from dogpile.cache.region import CacheRegion


def dogpile_local() -> CacheRegion:
    """Return a region in local memory that pickles, as Django's does."""
    return make_region().configure("dogpile.cache.memory_pickle", expiration_time=600)


def dogpile_redis(url: str) -> CacheRegion:
    """Return a region on Redis, whose lock holds over processes."""
    arguments = {"url": url, "distributed_lock": True, "thread_local_lock": False}
    return make_region().configure(
        "dogpile.cache.redis", expiration_time=600, arguments={**arguments, "lock_timeout": 60}
    )


class Cashews:
    """A cashews cache on Redis in an event loop of its own; it has no synchronous calls."""

    def __init__(self, url: str) -> None:
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
