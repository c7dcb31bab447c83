"""Redis through the django-redis package."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.cache import BaseCache

from .base import overrides
from .redis import RedisState


class DjangoRedisState(RedisState):
    """As :class:`RedisState`, with django-redis's serializers, compressors and keys."""

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        """Return whether ``cache`` is django-redis over one primary server.

        Its sharded and cluster clients spread a call's keys over servers; they are served by
        Django's cache API alone.
        """
        if not type(cache).__module__.startswith("django_redis"):
            return False
        from django_redis.cache import RedisCache
        from django_redis.client import DefaultClient

        names = ("set", "add", "delete", "touch")
        return (
            isinstance(cache, RedisCache)
            and not overrides(cache, RedisCache, *names)
            and type(cache.client) is DefaultClient
        )

    @cached_property
    def client(self) -> Any:
        return self.cache.client.get_client(write=True)

    def encode(self, value: Any) -> Any:
        return self.cache.client.encode(value)

    def decode(self, raw: bytes) -> Any:
        return self.cache.client.decode(raw)

    def full_key(self, key: str) -> str:
        return str(self.cache.client.make_key(key))
