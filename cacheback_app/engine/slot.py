"""One cached call: its keys, and the transactions that readers, fetchers and changers make on it.

``docs/protocol.md`` tells the protocol as a whole.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import QuerySet

from cacheback_app.durations import seconds
from cacheback_app.exceptions import CacheUnavailable

from . import outages, tags
from .claims import Claim, claim_key, error_key, lease_key, lease_ttl, new_token
from .entry import Entry, unpack
from .flow import Flow, Io
from .policy import TagVerdict, Verdict, judge, judge_tags
from .state import Op, Outcome, State, drop, ensure, look, put, state_for

if TYPE_CHECKING:
    from cacheback_app.base import Job

ERROR_TTL = 24 * 60 * 60
"""Seconds for which the last error of a key can be explained."""

ATTEMPTS = 1000
"""Claims that one caller asks for at most. A backend that swallows its errors refuses every one."""

REFUSED = "the cache takes no claim and shows none"


class Call(NamedTuple):
    """The arguments of one call."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}


def as_call(call: Any) -> Call:
    """Return what ``get_many`` was given for one value as a :class:`Call`."""
    if isinstance(call, Call):
        return call
    return Call(call) if isinstance(call, tuple) else Call((call,))


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to fetch a key and to store the result, as the cache has it written down."""

    claim: Any
    """The claim as stored (raw), to give back only one's own."""
    lease: Any
    """The lease as stored; when it is gone or another, the value must not be stored. ABSENT from a
    cache that keeps nothing."""
    stamps: Mapping[str, str]
    """The tags' stamps when the fetch began."""
    made_lease: bool
    """Whether there was no lease before."""


class Stored(Enum):
    """Whether a fetched value is there for others to read."""

    YES = auto()
    NO = auto()
    """The cache is down, or the job did not want it stored."""
    OVERTAKEN = auto()
    """The key was set, invalidated or deleted while the fetch ran, or one of its tags was."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one call of one job is cached."""

    job: Job
    key: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def alias(self) -> str:
        """The alias in ``CACHES``."""
        return self.job._alias

    @property
    def call(self) -> Call:
        """The arguments as ``fetch_many`` gets them."""
        return Call(self.args, self.kwargs)

    @property
    def path(self) -> str:
        """The job's name in logs and metrics."""
        return self.job._path_for(self.args)

    @property
    def flight_key(self) -> tuple[str, str]:
        """What callers of the same value in this process have in common."""
        return self.alias, self.key

    @property
    def cache_ttl(self) -> float | None:
        """Seconds from the fetch until the value is gone."""
        return seconds(self.job.cache_ttl)

    @property
    def claim_ttl(self) -> float:
        """Seconds for which a claim that is taken now keeps others away."""
        return max(0.001, self.job.timeout(*self.args, **self.kwargs) - time.time())

    def tags(self) -> tuple[str, ...]:
        """The tags of this call."""
        return tags.check(self.job.tags(*self.args, **self.kwargs))

    # Steps

    def io(self, do: Callable[[State], Any]) -> Io:
        """Return the step that does something with the cache.

        Its result is that of ``do``; it raises :exc:`CacheUnavailable` when the cache fails.
        """
        return Io(
            lambda: outages.guarded(self.alias, lambda: do(state_for(self.alias))),
            state_for(self.alias).is_local,
        )

    def transact(self, ops: Sequence[Op]) -> Io:
        """Return the step that applies one transaction; its result is an :class:`Outcome`."""
        return self.io(lambda state: state.apply(ops))

    def fetch(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the user's function and its arguments."""
        fetch, args, kwargs = self.job._bound_fetch(self.args, dict(self.kwargs))
        return evaluating(fetch), args, kwargs

    # Reading

    def judge(self, entry: Entry | None) -> Verdict:
        """Return what a reader may do with ``entry`` now."""
        beta = self.job.early_refresh
        draw = 1.0 - random.random()  # noqa: S311 - in (0, 1]; a coin, not a secret
        return judge(entry, time.time(), ttl=self.cache_ttl, beta=beta, draw=draw)

    def keys(self) -> list[str]:
        """The keys that a reader needs: the entry's and its tags'."""
        return [self.key, *map(tags.tag_key, self.tags() if self.job._has_tags else ())]

    def read(self) -> Flow[Entry | None]:
        """Read the entry; one that a tag has overtaken comes back marked stale, or not at all.

        :raises CacheUnavailable: when the cache fails.
        """
        found = yield self.read_step(self.keys())
        return (yield from self.interpret(found))

    def read_step(self, keys: Sequence[str]) -> Io:
        """Return the step that reads the backend once, for :meth:`interpret`."""
        return Io(
            lambda: outages.read(self.alias, state_for(self.alias), keys),
            state_for(self.alias).is_local,
        )

    def interpret(self, found: Mapping[str, Any]) -> Flow[Entry | None]:
        """Return the entry among what was ``found``, judged by its tags and readable by its job."""
        entry = unpack(found.get(self.key))
        if entry is None:
            return None
        known = self.tags() if self.job._has_tags else ()
        other = [tags.tag_key(tag) for tag in entry.tags or () if tag not in known]
        if other:  # tagged so by an earlier version of the job
            found = {**found, **(yield self.io(lambda state: state.get_many(other)))}
        if known or other:
            entry = overtaken(entry, tags.stamps_now({*known, *(entry.tags or ())}, found))
        return self.job._readable(entry)

    # Transactions

    def take(self, claim: Claim | None, ops: Sequence[Op]) -> Flow[Outcome]:
        """Apply ``ops``, which may take ``claim``; who is cancelled meanwhile does not keep it."""
        try:
            outcome: Outcome = yield self.transact(ops)
        except BaseException as exc:
            if claim is not None and not isinstance(exc, (Exception, GeneratorExit)):
                yield from self.withdraw(claim)
            raise
        return outcome

    def withdraw(self, claim: Claim, instead: Claim | None = None, ttl: float = 0.0) -> Flow[None]:
        """Take back a claim, if it is there, or put another state of it in its place."""
        key = claim_key(self.key)
        with contextlib.suppress(CacheUnavailable):
            before = yield self.transact([look(key)])
            if before.value(key) == str(claim):
                raw = before.raw(key)
                change = put(key, str(instead), ttl, expect=raw) if instead else drop(key, raw)
                yield self.transact([change])

    def begin_ops(self, claim: Claim, ttl: float, expect: Any) -> list[Op]:
        """Return what takes ``claim`` and the lease, and reads the tags' stamps."""
        return [
            put(claim_key(self.key), str(claim), ttl, expect=expect, look=True),
            ensure(lease_key(self.key), new_token(), lease_ttl(ttl)),
            *tags.ensured(self.tags() if self.job._has_tags else (), self.cache_ttl),
        ]

    def look_again(self, entry: Entry | None) -> Op:
        """Return what reads the entry, but need not tell of ``entry``, which may be large."""
        return look(self.key, known=entry.trace() if entry else None)

    def grant(self, ops: Sequence[Op], outcome: Outcome) -> Grant:
        """Return what the applied ``ops`` gave, which :meth:`begin_ops` are among."""
        names, lease = self.tags() if self.job._has_tags else (), lease_key(self.key)
        there = outcome.value(lease)
        is_token = type(there) is str  # anything else may be foreign, and not to be compared
        return Grant(
            outcome.raw(claim_key(self.key)),
            outcome.raw(lease),
            tags.stamps(names, outcome.value),
            is_token and any(op.key == lease and op.value == there for op in ops),
        )

    def entry_at(self, outcome: Outcome, grant: Grant) -> Entry | None:
        """Return the entry that :meth:`look_again` told of beside what ``grant`` came from, judged
        by its tags."""
        entry = unpack(outcome.value(self.key))
        if entry is not None and (entry.tags or grant.stamps):
            entry = overtaken(entry, {**dict.fromkeys(entry.tags or ()), **grant.stamps})
        return self.job._readable(entry)

    def store_ops(self, entry: Entry, ttl: float | None) -> list[Op]:
        """Return what stores ``entry`` and ends every claim, lease and error of the key."""
        return [*self.clear_ops(), put(self.key, entry.pack(), ttl)]

    def clear_ops(self) -> list[Op]:
        """Return what ends every claim, lease and error of the key."""
        # The lease first: caches without transactions do one after the other.
        return [drop(key(self.key)) for key in (lease_key, claim_key, error_key)]

    def commit(self, grant: Grant, entry: Entry, ttl: float | None) -> Flow[Stored]:
        """Store what was fetched under ``grant``, unless something overtook it."""
        looks = [look(tags.tag_key(tag)) for tag in grant.stamps]
        outcome = yield self.transact(
            [
                drop(lease_key(self.key), expect=grant.lease),
                drop(claim_key(self.key), expect=grant.claim),
                put(self.key, entry.pack(), ttl),
                drop(error_key(self.key)),
                *looks,
            ]
        )
        if not outcome.applied:
            return (yield from self._commit_late(grant, entry, ttl))
        # An entry whose tag was invalidated meanwhile is stored, and stale for every reader.
        is_current = tags.stamps(grant.stamps, outcome.value) == grant.stamps
        return Stored.YES if is_current else Stored.OVERTAKEN

    def _commit_late(self, grant: Grant, entry: Entry, ttl: float | None) -> Flow[Stored]:
        """Store after the claim lapsed, unless the lease is gone or a newer value is there.

        The flight of the fetch lapsed with the claim, so nobody who came later waits for it.
        """
        while True:
            found = yield self.transact([look(lease_key(self.key)), look(self.key)])
            there = unpack(found.value(self.key))
            is_overtaken = found.raw(lease_key(self.key)) != grant.lease
            if is_overtaken or (there is not None and there.fetched_at > entry.fetched_at):
                yield self.release(grant)
                return Stored.OVERTAKEN
            # The lease stays: a newer fetch may be as late.
            outcome = yield self.transact(
                [
                    look(lease_key(self.key), expect=grant.lease),
                    put(self.key, entry.pack(), ttl, expect=found.raw(self.key)),
                    drop(error_key(self.key)),
                ]
            )
            if outcome.applied:
                yield self.release(grant)
                return Stored.YES

    def discard(self, grant: Grant) -> Flow[bool]:
        """Remove the entry; return False when something overtook the fetch that asks for it."""
        outcome = yield self.transact(
            [
                drop(lease_key(self.key), expect=grant.lease),
                drop(claim_key(self.key), expect=grant.claim),
                drop(self.key),
                drop(error_key(self.key)),
            ]
        )
        return bool(outcome.applied)

    def release(self, grant: Grant) -> Io:
        """Return the step that gives the claim back if it is still one's own.

        The lease goes with it where it came with it: who would share it has taken the claim over.
        """
        lease = [drop(lease_key(self.key))] if grant.made_lease else []
        return self.transact([drop(claim_key(self.key), expect=grant.claim), *lease])

    def ttl_left(self, entry: Entry) -> float | None:
        """Return the seconds until ``entry`` is gone, None for ever."""
        ttl = self.cache_ttl
        return None if ttl is None else entry.fetched_at + ttl - time.time()


def overtaken(entry: Entry, stamps: Mapping[str, str | None]) -> Entry | None:
    """Return what is left of ``entry`` when its tags have these stamps now."""
    match judge_tags(entry.tags, stamps):
        case TagVerdict.DELETED:
            return None
        case TagVerdict.INVALIDATED:
            return entry.invalidated(time.time())
        case _:
            return entry


def evaluating(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that evaluates the query set which ``fetch`` may return.

    Storing it would do that, in an event loop or in a thread that is for the cache alone.
    """
    if iscoroutinefunction(fetch):
        return fetch

    def evaluated(*args: Any, **kwargs: Any) -> Any:
        value = fetch(*args, **kwargs)
        if isinstance(value, QuerySet):
            len(value)
        return value

    return evaluated
