"""Redis through Django's RedisCache or a subclass of it: one Lua script is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.core.cache import BaseCache

from .base import ABSENT, ANY, NOTHING, Found, Op, Outcome, State, Write, overrides

# Six arguments a key: what to expect ("*" anything, "-" nothing, "=" the next one), that value,
# what to do, the value to store, its time to live in milliseconds ("" for ever), and
# whether to tell what is there. Checks run in order and end at the first that fails,
# so that the loser of a race for a claim costs one GET.
SCRIPT = """
local seen = {}
for i = 1, #KEYS do
  local at = 6 * (i - 1)
  local want, write = ARGV[at + 1], ARGV[at + 3]
  if want ~= '*' or ARGV[at + 6] == '1' or write == 'ensure' then
    local value = redis.call('GET', KEYS[i])
    seen[i] = value
    if (want == '-' and value) or (want == '=' and value ~= ARGV[at + 2]) then
      for j = 1, #KEYS do if seen[j] == nil then seen[j] = false end end
      return {0, seen, i}
    end
  end
end
local gone = {}
for i = 1, #KEYS do
  local at = 6 * (i - 1)
  local write, value, ttl = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  if write == 'replace' then
    redis.call('SET', KEYS[i], value, 'XX', 'KEEPTTL')
  elseif write == 'drop' then
    gone[#gone + 1] = KEYS[i]
  elseif write == 'ensure' and seen[i] then
    local left = redis.call('PTTL', KEYS[i])
    if ttl == '' then redis.call('PERSIST', KEYS[i])
    elseif left >= 0 and left < tonumber(ttl) then redis.call('PEXPIRE', KEYS[i], ttl) end
  elseif write == 'put' or write == 'ensure' then
    if ttl == '' then redis.call('SET', KEYS[i], value)
    else redis.call('SET', KEYS[i], value, 'PX', ttl) end
    if write == 'ensure' then seen[i] = value end
  end
  if seen[i] == nil then seen[i] = false end
end
if #gone > 0 then redis.call('DEL', unpack(gone)) end
return {1, seen, #KEYS}
"""
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
"""The name that Redis gives the script (EVALSHA), not a safeguard."""


class RedisState(State):
    """Redis, atomic over everything that shares the server."""

    is_atomic = True

    cache: Any

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        """Return whether ``cache`` stores the way that Django's ``RedisCache`` does."""
        try:
            from django.core.cache.backends.redis import RedisCache
        except ImportError:  # pragma: no cover - Django always has it; redis-py is asked for later
            return False
        names = ("set", "add", "delete", "touch")
        return isinstance(cache, RedisCache) and not overrides(cache, RedisCache, *names)

    def client(self) -> Any:
        """Return the redis-py client of the primary server."""
        return self.cache._cache.get_client(None, write=True)

    def encode(self, value: Any) -> Any:
        """Return ``value`` as the backend stores it."""
        return self.cache._cache._serializer.dumps(value)

    def decode(self, raw: bytes) -> Any:
        """Return what the backend's own ``get`` makes of ``raw``."""
        return self.cache._cache._serializer.loads(raw)

    def full_key(self, key: str) -> str:
        """Return the key as the server knows it."""
        return str(self.cache.make_and_validate_key(key))

    def apply(self, ops: Sequence[Op]) -> Outcome:
        call = _Call(self, ops)
        return call.outcome(self._run(call))

    def apply_many(self, transactions: Sequence[Sequence[Op]]) -> list[Outcome]:
        if len(transactions) < 2:
            return super().apply_many(transactions)
        calls = [_Call(self, ops) for ops in transactions]
        pipe = self.client().pipeline(transaction=False)
        for call in calls:
            pipe.evalsha(SHA, len(call.keys), *call.keys, *call.arguments)
        replies = pipe.execute(raise_on_error=False)
        return [self._settle(call, reply) for call, reply in zip(calls, replies, strict=True)]

    def _run(self, call: _Call) -> Any:
        from redis.exceptions import NoScriptError

        client = self.client()
        try:
            return client.evalsha(SHA, len(call.keys), *call.keys, *call.arguments)
        except NoScriptError:  # a new server, or one whose scripts were flushed
            return client.eval(SCRIPT, len(call.keys), *call.keys, *call.arguments)

    def _settle(self, call: _Call, reply: Any) -> Outcome:
        from redis.exceptions import NoScriptError

        if isinstance(reply, NoScriptError):
            reply = self._run(call)
        if isinstance(reply, Exception):
            raise reply
        return call.outcome(reply)


class _Call:
    """One transaction as the script's keys and arguments, and its reply as an outcome."""

    def __init__(self, state: RedisState, ops: Sequence[Op]) -> None:
        self._state = state
        self._ops = ops
        self.keys = [state.full_key(op.key) for op in ops]
        self._raws = [_as_bytes(state.encode(op.value)) if _stores(op) else b"" for op in ops]
        self.arguments = [
            argument
            for op, raw in zip(ops, self._raws, strict=True)
            for argument in (
                *_expectation(op),
                op.write.value,
                raw,
                _milliseconds(op),
                int(op.look),
            )
        ]

    def outcome(self, reply: Any) -> Outcome:
        applied, seen, checked = reply
        found = {
            op.key: self._found(raw)
            for op, raw in zip(self._ops[:checked], seen[:checked], strict=True)
            if raw is not None or op.look
        }
        wrote = {
            op.key: raw
            for op, raw in zip(self._ops, self._raws, strict=True)
            if applied and op.write is Write.PUT
        }
        return Outcome(bool(applied), found, wrote)

    def _found(self, raw: bytes | None) -> Found:
        if raw is None:
            return NOTHING
        try:
            return Found(raw, self._state.decode(raw))
        except Exception:  # unpickling may raise anything; what can't be decoded is a miss
            return Found(raw, None)


def _stores(op: Op) -> bool:
    return op.write in (Write.PUT, Write.ENSURE, Write.REPLACE)


def _expectation(op: Op) -> tuple[str, bytes | str]:
    if op.expect is ANY:
        return "*", b""
    if op.expect is ABSENT:
        return "-", b""
    return "=", op.expect


def _milliseconds(op: Op) -> str | int:
    return "" if op.ttl is None else max(1, round(op.ttl * 1000))


def _as_bytes(encoded: Any) -> bytes:
    return encoded if isinstance(encoded, bytes) else str(encoded).encode()
