"""Redis through Django's RedisCache or a subclass of it: one Lua script is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from django.core.cache import BaseCache

from .base import ABSENT, ANY, NOTHING, Found, Op, Outcome, State, Write, overrides, storing

# Each key has three flags: what to expect ("*" anything, "-" nothing, "=" a value), whether to tell
# what is there ("1"), and what to do ("k"eep, "p"ut, "e"nsure, "r"eplace, "d"rop); then, as far as
# they are needed, the value to expect, the value to store, and its time to live in milliseconds
# ("" for ever). Checks run in order and end at the first that fails, so that the loser of a race
# for a claim costs one GET.
SCRIPT = """
local ops, seen, gone, at = {}, {}, {}, 0
local function take() at = at + 1 return ARGV[at] end
for i = 1, #KEYS do
  local flags = take()
  local op = {want = flags:sub(1, 1), look = flags:sub(2, 2) == '1', write = flags:sub(3, 3)}
  if op.want == '=' then op.raw = take() end
  if op.write == 'p' or op.write == 'e' or op.write == 'r' then op.value = take() end
  if op.write == 'p' or op.write == 'e' then op.ttl = take() end
  ops[i] = op
end
for i, op in ipairs(ops) do
  seen[i] = false
  if op.want ~= '*' or op.look or op.write == 'e' then
    seen[i] = redis.call('GET', KEYS[i])
    if (op.want == '-' and seen[i]) or (op.want == '=' and seen[i] ~= op.raw) then
      for j = i + 1, #KEYS do seen[j] = false end
      return {0, seen, i}
    end
  end
end
for i, op in ipairs(ops) do
  if op.write == 'r' then
    redis.call('SET', KEYS[i], op.value, 'XX', 'KEEPTTL')
  elseif op.write == 'd' then
    gone[#gone + 1] = KEYS[i]
  elseif op.write == 'e' and seen[i] then
    local left = redis.call('PTTL', KEYS[i])
    if op.ttl == '' then redis.call('PERSIST', KEYS[i])
    elseif left >= 0 and left < tonumber(op.ttl) then redis.call('PEXPIRE', KEYS[i], op.ttl) end
  elseif op.write == 'p' or op.write == 'e' then
    if op.ttl == '' then redis.call('SET', KEYS[i], op.value)
    else redis.call('SET', KEYS[i], op.value, 'PX', op.ttl) end
    if op.write == 'e' then seen[i] = op.value end
  end
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

    @cached_property
    def client(self) -> Any:
        """The redis-py client of the primary server, kept because Django's makes one per call."""
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
        pipe = self.client.pipeline(transaction=False)
        for call in calls:
            pipe.evalsha(SHA, len(call.keys), *call.keys, *call.arguments)
        replies = pipe.execute(raise_on_error=False)
        return [self._settle(call, reply) for call, reply in zip(calls, replies, strict=True)]

    def _run(self, call: _Call) -> Any:
        from redis.exceptions import NoScriptError

        client = self.client
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
        with storing():
            self._raws = [_as_bytes(state.encode(op.value)) if _stores(op) else b"" for op in ops]
        self.arguments = [
            argument
            for op, raw in zip(ops, self._raws, strict=True)
            for argument in _arguments(op, raw)
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


def _arguments(op: Op, raw: bytes) -> Iterator[Any]:
    want = "*" if op.expect is ANY else "-" if op.expect is ABSENT else "="
    yield f"{want}{int(op.look)}{op.write.value[0]}"
    if want == "=":
        yield op.expect
    if _stores(op):
        yield raw
    if op.write in (Write.PUT, Write.ENSURE):
        yield "" if op.ttl is None else max(1, round(op.ttl * 1000))


def _as_bytes(encoded: Any) -> bytes:
    return encoded if isinstance(encoded, bytes) else str(encoded).encode()
