"""A Redis cache backend that keeps its client.

Django's own builds a redis-py client for every call, which takes longer than Redis does. It also
sets no timeouts, so that a Redis that hangs hangs the site. Everything else is Django's::

    CACHES = {
        "default": {
            "BACKEND": "cacheback_app.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:6379/0",
        }
    }
"""

from __future__ import annotations

import pickle
from typing import Any

from django.core.cache.backends import redis as django_redis
from django.core.exceptions import ImproperlyConfigured

# A cache that takes longer than this is not one. ``OPTIONS`` overrides both.
TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}

_PICKLE = 0x80
"""First byte of every pickle since protocol 2."""


class Serializer(django_redis.RedisSerializer):
    """Django's format, without trying first whether every pickle is a number."""

    def loads(self, data: Any) -> Any:
        if data[0] == _PICKLE:
            return pickle.loads(data)  # noqa: S301 - as Django does; see docs/security.md
        return super().loads(data)


class KeptRedisCacheClient(django_redis.RedisCacheClient):
    """Django's client with one redis-py client per server, which is thread-safe and fork-safe."""

    def __init__(self, servers: list[str], serializer: Any = Serializer, **options: Any) -> None:
        try:
            super().__init__(servers, serializer, **{**TIMEOUTS, **options})
        except ModuleNotFoundError as exc:
            raise ImproperlyConfigured(
                f"cacheback_app.cache.RedisCache needs {exc.name}: pip install cacheback-app[redis]"
            ) from exc
        self._kept: dict[int, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return the client of a server that may be asked."""
        index = self._get_connection_pool_index(write)  # type: ignore[attr-defined]
        client = self._kept.get(index)
        if client is None:
            client = self._kept[index] = super().get_client(key, write=write)
        return client


class RedisCache(django_redis.RedisCache):
    """Django's Redis cache, faster, and with timeouts."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptRedisCacheClient
