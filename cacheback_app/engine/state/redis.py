"""Redis through Django's RedisCache or a subclass of it: one Lua script is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.core.cache import BaseCache

from .base import (
    ABSENT,
    ANY,
    LONGEST,
    NOTHING,
    TAIL,
    Found,
    Op,
    Outcome,
    State,
    Write,
    overrides,
    storing,
)

# The first argument has three flags a key: what to expect ("*" anything, "-" nothing, "=" a value),
# whether to tell what is there ("1", or "2" unless certain bytes are near its end), and what to do
# ("k"eep, "p"ut, "e"nsure, "r"eplace, "d"rop). Then come, for each key, the value to expect and
# the bytes to look for, and then, for each write, the value and its time to live in milliseconds
# ("" for ever). Checks run in order and end at the first that fails, so that the loser of a race
# for a claim costs one GET. The reply is 1 if there is nothing else to tell, as most winners find:
# clients take long for nested lists. Flags are compared as bytes, and no table is made an
# operation, because the script takes longer to be interpreted than its commands take.
SCRIPT = (
    f"local TAIL = -{TAIL}"
    + """
local ANYTHING, NOTHING, VALUE, LOOK, UNKNOWN = ('*-=12'):byte(1, 5)
local KEEP, ENSURE, REPLACE, DROP = ('kerd'):byte(1, 4)
local flags, seen, gone, at = ARGV[1], {}, {}, 1
local function take() at = at + 1 return ARGV[at] end
for i = 1, #KEYS do
  local want, look, write = flags:byte(3 * i - 2, 3 * i)
  local raw = want == VALUE and take()
  local known = look == UNKNOWN and take()
  seen[i] = false
  if want ~= ANYTHING or look == LOOK or known or write == ENSURE then
    seen[i] = redis.call('GET', KEYS[i])
    if (want == NOTHING and seen[i]) or (want == VALUE and seen[i] ~= raw) then
      for j = i + 1, #KEYS do seen[j] = false end
      return {0, seen, i}
    end
    if known and seen[i] and seen[i]:find(known, TAIL, true) then seen[i] = false end
  end
end
for i = 1, #KEYS do
  local write = flags:byte(3 * i)
  if write == DROP then
    gone[#gone + 1] = KEYS[i]
  elseif write == REPLACE then
    redis.call('SET', KEYS[i], take(), 'XX', 'KEEPTTL')
  elseif write ~= KEEP then
    local value, ttl = take(), take()
    if write == ENSURE and seen[i] then
      local left = redis.call('PTTL', KEYS[i])
      if ttl == '' then redis.call('PERSIST', KEYS[i])
      elseif left >= 0 and left < tonumber(ttl) then redis.call('PEXPIRE', KEYS[i], ttl) end
    else
      if ttl == '' then redis.call('SET', KEYS[i], value)
      else redis.call('SET', KEYS[i], value, 'PX', ttl) end
      if write == ENSURE then seen[i] = value end
    end
  end
end
if #gone > 0 then redis.call('DEL', unpack(gone)) end
for i = 1, #KEYS do
  if seen[i] then return {1, seen, #KEYS} end
end
return 1
"""
)
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
        """Return the key as the server knows it.

        Validating is for memcached's sake, looks at each character, and found ours good (J13).
        """
        return str(self.cache.make_key(key))

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
        client = self.client
        try:
            return client.evalsha(SHA, len(call.keys), *call.keys, *call.arguments)
        except _no_script_error():  # a new server, or one whose scripts were flushed
            return client.eval(SCRIPT, len(call.keys), *call.keys, *call.arguments)

    def _settle(self, call: _Call, reply: Any) -> Outcome:
        if isinstance(reply, _no_script_error()):
            reply = self._run(call)
        if isinstance(reply, Exception):
            raise reply
        return call.outcome(reply)


def _no_script_error() -> type[Exception]:
    # redis-py is an extra. Who has a transaction has it, and asks when something was raised.
    from redis.exceptions import NoScriptError

    return NoScriptError


class _Call:
    """One transaction as the script's keys and arguments, and its reply as an outcome."""

    def __init__(self, state: RedisState, ops: Sequence[Op]) -> None:
        self._state = state
        self._ops = ops
        self._wrote: dict[str, bytes] = {}
        self.keys = [state.full_key(op.key) for op in ops]
        with storing():
            self.arguments = self._arguments()

    def _arguments(self) -> list[Any]:
        # One loop: making this is most of what a stale read does besides waiting for Redis.
        flags = ""
        checks: list[Any] = []
        writes: list[Any] = []
        for op in self._ops:
            want = "*" if op.expect is ANY else "-" if op.expect is ABSENT else "="
            flags += want + ("2" if op.known else "1" if op.look else "0") + op.write.value[0]
            if want == "=":
                checks.append(op.expect)
            if op.known:
                checks.append(op.known)
            if op.write in (Write.PUT, Write.ENSURE, Write.REPLACE):
                writes.append(self._encoded(op))
                if op.write is not Write.REPLACE:
                    writes.append(_milliseconds(op.ttl))
        return [flags, *checks, *writes]

    def _encoded(self, op: Op) -> bytes:
        encoded = self._state.encode(op.value)
        raw = encoded if isinstance(encoded, bytes) else str(encoded).encode()
        if op.write is Write.PUT:
            self._wrote[op.key] = raw
        return raw

    def outcome(self, reply: Any) -> Outcome:
        applied, seen, checked = (reply, (), 0) if type(reply) is int else reply
        found = {
            op.key: self._found(raw)
            for op, raw in zip(self._ops[:checked], seen[:checked], strict=True)
            if raw is not None or op.look
        }
        return Outcome(bool(applied), found, self._wrote if applied else {})

    def _found(self, raw: bytes | None) -> Found:
        if raw is None:
            return NOTHING
        try:
            return Found(raw, self._state.decode(raw))
        except Exception:  # unpickling may raise anything; what can't be decoded is a miss
            return Found(raw, None)


def _milliseconds(ttl: float | None) -> int | str:
    """Return a time to live as the script takes it."""
    return "" if ttl is None or ttl > LONGEST else max(1, round(ttl * 1000))
