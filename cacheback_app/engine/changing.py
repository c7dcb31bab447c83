"""``set``, ``invalidate``, ``delete``, ``refresh``: what overtakes the fetches that already run."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from cacheback_app.conf import conf
from cacheback_app.exceptions import CacheUnavailable

from . import backing, tags
from .backing import Backing
from .claims import Claim, State, claim_key, lease_key
from .entry import Entry, unpack
from .fetching import Errand, Fetched, entry_for, fetch_and_store, landed, verify
from .flights import Flight, flights
from .flow import Fetch, Flow, drive
from .near import near
from .reading import dispatch, send
from .slot import Slot
from .state import ABSENT, ANY, Op, Outcome, drop, look, put, replace
from .transactions import after_commit


def forget_here(slot: Slot) -> None:
    """Make this process's memory serve and await nothing that is older than now."""
    near.remove(slot.flight_key)
    flights.detach(slot.flight_key)


def set_value(slot: Slot, value: Any) -> Flow[None]:
    """Store a value that the caller has, as if it had just been fetched.

    :raises RuntimeError: when the write is verified and was lost.
    """
    if not conf.enabled:
        return
    forget_here(slot)
    try:
        names = slot.tags() if slot.job._has_tags else ()
        stamps = {}
        if names:
            outcome = yield slot.transact(tags.ensured(names, slot.cache_ttl))
            stamps = tags.stamps(names, outcome.value)
        entry = entry_for(slot, value, time.time(), stamps=stamps)
        yield from backing.save(slot, value, entry.fetched_at, lambda: _put(slot, entry))
        yield from verify(slot)
    except CacheUnavailable:
        return
    finally:
        forget_here(slot)


def _put(slot: Slot, entry: Entry) -> Flow[None]:
    try:
        yield slot.transact(slot.store_ops(entry, slot.cache_ttl))
    except CacheUnavailable:
        if slot.job._backing is None:
            raise


def delete(slot: Slot) -> Flow[None]:
    """Return what removes the value: now, and again after the commit of a transaction."""
    after_commit(("delete", slot.flight_key), lambda: drive(delete_now(slot)))
    return delete_now(slot)


def delete_now(slot: Slot) -> Flow[None]:
    """Remove the value, and the right of running fetches to store theirs."""
    forget_here(slot)
    try:
        yield from _drop(slot)
        if slot.job._backing is not None:
            # No fetch that runs can store from here on; but a reader may still put back what the
            # backing has, until it is gone.
            yield Fetch(slot.job._backing.delete, (slot.call,), {})
            yield from _drop(slot)
    finally:
        forget_here(slot)


def _drop(slot: Slot) -> Flow[None]:
    with contextlib.suppress(CacheUnavailable):
        yield slot.transact([*slot.clear_ops(), drop(slot.key)])


def invalidate(slot: Slot) -> Flow[None]:
    """Return what marks the value stale: now, and again after the commit of a transaction, which
    is when it is refreshed."""
    again = after_commit(("invalidate", slot.flight_key), lambda: drive(invalidate_now(slot)))
    return invalidate_now(slot, may_dispatch=not again)


def invalidate_now(slot: Slot, *, may_dispatch: bool = True) -> Flow[None]:
    """Mark the value stale, and have it refreshed unless nothing is cached.

    :param may_dispatch: False inside of a transaction, where a worker would read old rows.
    """
    forget_here(slot)
    try:
        if slot.job._backing is not None:
            yield from _invalidate_backing(slot, slot.job._backing)
        claim, entry, ttl = yield from _invalidate(slot, may_dispatch)
    except CacheUnavailable:
        return
    finally:
        forget_here(slot)
    if claim is not None:
        yield from send(slot, claim, entry, ttl)


def _invalidate(slot: Slot, may_dispatch: bool) -> Flow[tuple[Claim | None, Entry | None, float]]:
    while True:
        before = yield slot.transact([look(claim_key(slot.key)), look(slot.key)])
        entry = unpack(before.value(slot.key))
        if entry is not None and (left := slot.ttl_left(entry)) is not None and left <= 0:
            entry = None
        holder = Claim.parse(before.value(claim_key(slot.key)))
        ttl = slot.claim_ttl + slot.job._dispatch_delay
        claim = None
        if entry is not None and may_dispatch and not _is_pending(holder):
            claim = Claim.new(State.PENDING, ttl)
        ops = [_move_claim(slot, before, holder, claim, ttl), *_mark(slot, before, entry)]
        outcome = yield from slot.take(claim, ops)
        if outcome.applied:
            return claim, entry, ttl


def _invalidate_backing(slot: Slot, second: Backing) -> Flow[None]:
    # As in delete_now(): first the cache, whose lease holds up what is being fetched, then the
    # backing, and then what was put back from there in between, which is left to the caller.
    with contextlib.suppress(CacheUnavailable):
        yield from backing.restore(slot)  # what is kept there counts as cached
        yield from _invalidate(slot, may_dispatch=False)
    yield Fetch(second.invalidate, (slot.call,), {})


def _is_pending(holder: Claim | None) -> bool:
    # What has not begun will see the new state of the world: no need to ask for it twice.
    return holder is not None and holder.state is State.PENDING


def _move_claim(
    slot: Slot, before: Outcome, holder: Claim | None, claim: Claim | None, ttl: float
) -> Op:
    key, expect = claim_key(slot.key), before.raw(claim_key(slot.key))
    if claim is not None:
        return put(key, str(claim), ttl, expect=expect)
    return look(key, expect) if _is_pending(holder) or expect is ABSENT else drop(key, expect)


def _mark(slot: Slot, before: Outcome, entry: Entry | None) -> list[Op]:
    expect = before.raw(slot.key)
    if entry is None:
        return [look(slot.key, expect), drop(lease_key(slot.key))]
    stale = entry.invalidated(time.time()).pack()
    return [replace(slot.key, stale, slot.ttl_left(entry), expect), drop(lease_key(slot.key))]


def refresh(slot: Slot) -> Flow[Fetched]:
    """Fetch now, whoever else does, and store."""
    flight, is_leader = flights.join(slot.flight_key)
    if not is_leader:
        return (yield from _refresh(slot))
    return (yield from landed(slot, flight, _refresh(slot, flight)))


def _refresh(slot: Slot, *flown: Flight) -> Flow[Fetched]:
    ttl = slot.claim_ttl
    for flight in flown:
        flight.lapses_at = time.monotonic() + ttl
    claim = Claim.new(State.RUNNING, ttl)
    ops = slot.begin_ops(claim, ttl, expect=ANY)
    grant = None
    with contextlib.suppress(CacheUnavailable):
        grant = slot.grant(ops, (yield from slot.take(claim, ops)))
    return (yield from fetch_and_store(slot, Errand(claim, grant, flights=flown)))


def refresh_later(slot: Slot) -> Flow[None]:
    """Dispatch a refresh although the value may be fresh, unless one is under way."""
    try:
        entry = yield from slot.read()
    except CacheUnavailable:
        return
    yield from dispatch(slot, entry)
