"""A Redis server: every call is one round trip."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore
from .keys import joined


class _Script:
    """A Lua script, which Redis knows by its digest once it was sent."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.sha = hashlib.sha1(code.encode(), usedforsecurity=False).hexdigest()


# The value that must be there, the new one, and its milliseconds unless it lives for ever.
_SWAP = _Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else redis.call('SET', KEYS[1], ARGV[2]) end
return 1
""")
_DELETE = _Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")


class RedisStore(CheckedStore):
    """Keeps entries in Redis, which drops them itself when they expire.

    Nothing is sent twice: a compare-and-set that was made, and whose answer was lost, would fail
    when it is repeated. Entries are as durable as the server is told to be (``appendonly``), and
    its ``maxmemory-policy`` has to be ``noeviction`` or ``volatile-*``.

    :param url: as redis-py takes it: ``redis://``, ``rediss://`` or ``unix://``.
    :param prefix: begins the name of every key in Redis.
    :param timeout: how many seconds to wait for a connection or an answer.
    """

    def __init__(self, url: str, *, prefix: str = "cacheback.store:", timeout: float = 5.0) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as exc:
            raise ConfigurationException(
                "RedisStore needs redis-py: pip install cacheback-app[redis]"
            ) from exc
        self.driver_errors = (redis.RedisError, OSError)
        self._no_script = redis.exceptions.NoScriptError
        self._prefix = prefix
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as exc:
            raise ConfigurationException(f"the option 'url': {exc}") from exc

    def close(self) -> None:
        self._client.close()

    def _get(self, pk: str, sk: str) -> str | None:
        value = self._client.get(self._key(pk, sk))
        return None if value is None else value.decode()

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        key = self._key(pk, sk)
        left = None if lifetime is None else math.ceil(lifetime * 1000)
        if constraint is not None:
            arguments = (constraint, value) if left is None else (constraint, value, left)
            return self._run_script(_SWAP, key, *arguments)
        return bool(self._client.set(key, value, px=left, nx=not_set))

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        key = self._key(pk, sk)
        if constraint is None:
            return bool(self._client.delete(key))
        return self._run_script(_DELETE, key, constraint)

    def _run_script(self, script: _Script, key: str, *arguments: str | int) -> bool:
        try:
            return bool(self._client.evalsha(script.sha, 1, key, *arguments))
        except self._no_script:  # a new server, or one whose scripts were flushed
            return bool(self._client.eval(script.code, 1, key, *arguments))

    def _key(self, pk: str, sk: str) -> str:
        return self._prefix + joined(pk, sk)
