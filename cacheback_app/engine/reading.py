"""``get``: what a reader does with what it found. A fresh value never comes this far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.dispatch import Signal

from cacheback_app import signals
from cacheback_app.durations import seconds
from cacheback_app.exceptions import CacheUnavailable, QueueError

from . import backing, outages, policy
from .claims import Claim, State, claim_key
from .dispatching import abandon, hand_over
from .entry import Entry, unpack
from .fetching import Errand, Fetched, fetch_and_store, landed, release_quietly
from .flights import Flight, Landing, flights
from .flow import Await, Flow, Pause, is_called_for
from .near import near
from .policy import Verdict
from .refreshing import Work, refresh_claimed
from .slot import ATTEMPTS, REFUSED, Grant, Slot, Stored
from .state import ABSENT, drop, put, state_for
from .status import HIT, MISS, STALE
from .tallies import tallies


class Answer(NamedTuple):
    """What ``get`` returns, as ``process_result`` is told of it."""

    value: Any
    status: int
    sync_fetch: bool | None


@dataclass(frozen=True, slots=True)
class _TimedOut:
    """Another caller's fetch took longer than ``wait_timeout``, or its failure is too recent."""


_TIMED_OUT = _TimedOut()


def get(slot: Slot) -> Flow[Answer]:
    """Read the value, and fetch it or have it fetched when it must be."""
    epoch, began = near.epoch, time.time()
    try:
        entry = yield from slot.read()
    except CacheUnavailable:
        return (yield from answer(slot, None, is_down=True))
    found = yield from answer(slot, entry)
    if found.status == HIT and entry is not None and slot.job.local_ttl:
        # From when it was read: others may have changed it since.
        deadline = min(began + seconds(slot.job.local_ttl), entry.fresh_until)
        near.put(slot.flight_key, found.value, deadline, epoch)
    return found


def answer_found(
    slot: Slot, found: Mapping[str, Any], failure: Exception | None = None
) -> Flow[Answer]:
    """As :func:`get`, for what was read already.

    :param failure: what reading raised instead.
    """
    if failure is not None and outages.is_outage(state_for(slot.alias), failure):
        outages.handle(slot.alias, failure)
        return (yield from answer(slot, None, is_down=True))
    try:
        entry = yield from slot.interpret(found)
    except CacheUnavailable:
        return (yield from answer(slot, None, is_down=True))
    return (yield from answer(slot, entry))


def answer(
    slot: Slot, entry: Entry | None, verdict: Verdict | None = None, *, is_down: bool = False
) -> Flow[Answer]:
    """As :func:`get`, for an entry that was read.

    :param verdict: of the entry, if it was judged already.
    :param is_down: whether the cache failed, so that nothing is claimed, dispatched or stored.
    """
    verdict = verdict or slot.judge(entry)
    if verdict is Verdict.GONE and slot.job._backing is not None:
        entry = yield from backing.restore(slot, is_down=is_down)
        verdict = slot.judge(entry)
    is_missing = entry is None or verdict is Verdict.GONE
    try:
        if entry is None or verdict is Verdict.GONE:
            found = yield from _missing(slot, is_down)
        elif verdict is Verdict.STALE:
            found = yield from _stale(slot, entry)
        else:
            if verdict is Verdict.EARLY:
                yield from dispatch(slot, entry)
            found = Answer(entry.value, HIT, None)
    except Exception:
        report_read(slot, MISS if is_missing else STALE)
        raise
    is_served = entry is not None and not (is_missing or found.sync_fetch)
    report_read(slot, found.status, entry.fetched_at if entry and is_served else None)
    return found


def report_read(slot: Slot, status: int, fetched_at: float | None = None) -> None:
    """Count and signal that a value was asked for.

    :param fetched_at: of the entry whose value is served; None for one that was just fetched,
        and when there is none.
    """
    tally = tallies.of(slot.path)
    tally.add(status)
    if status == STALE and fetched_at is not None:
        age = max(0.0, time.time() - fetched_at)
        tally.served(age, slot.key)
        if signals.stale_served.receivers:
            _signal(signals.stale_served, slot, age=age)
    signal_read(slot, status, fetched_at)


def signal_read(slot: Slot, status: int, fetched_at: float | None = None) -> None:
    """Signal that a value was asked for; it was counted already."""
    if signals.cache_read.receivers:
        age = None if fetched_at is None else max(0.0, time.time() - fetched_at)
        _signal(signals.cache_read, slot, status=status, age=age)


def _signal(signal: Signal, slot: Slot, **details: Any) -> None:
    signal.send_robust(type(slot.job), job=slot.path, key=slot.key, **details)


def _missing(slot: Slot, is_down: bool) -> Flow[Answer]:
    job = slot.job
    if job.should_missing_item_be_fetched_synchronously(*slot.args, **slot.kwargs):
        result = yield from fetch_once(slot, None, is_down=is_down)
        if isinstance(result, _TimedOut):
            return Answer(job.empty(), MISS, False)
        return Answer(result.value, MISS, True)
    fetched = None if is_down else (yield from dispatch(slot, None))
    if fetched is None:
        return Answer(job.empty(), MISS, False)
    return Answer(fetched.value, MISS, True)


def _stale(slot: Slot, entry: Entry) -> Flow[Answer]:
    job = slot.job
    late = time.time() - entry.fetched_at - seconds(job.lifetime)
    if job.should_stale_item_be_fetched_synchronously(late, *slot.args, **slot.kwargs):
        result = yield from _refetch(slot, entry)
    else:
        result = yield from dispatch(slot, entry)
    if result is None:
        return Answer(entry.value, STALE, False)
    return Answer(result.value, STALE, True)


def _refetch(slot: Slot, entry: Entry) -> Flow[Fetched | None]:
    try:
        result = yield from fetch_once(slot, entry)
    except Exception as exc:  # it was reported where it was raised
        if not slot.job.stale_if_error or isinstance(exc, slot.job._gone_errors):
            raise
        return None
    return None if isinstance(result, _TimedOut) else result


# One fetch for all callers


def fetch_once(
    slot: Slot, stale: Entry | None, *, is_down: bool = False
) -> Flow[Fetched | _TimedOut]:
    """Fetch, or wait for whoever fetches already: in this process, or anywhere.

    :param stale: what there is to serve, None on a miss.
    :raises RuntimeError: in the fetch of this very value.
    """
    if is_called_for(slot.flight_key):
        raise RuntimeError(f"the fetch of {slot.path} asks for the value that it is to fetch")
    wait = slot.job.wait_timeout
    deadline = time.monotonic() + seconds(slot.job.refresh_timeout if wait is None else wait)
    while True:
        flight, is_leader = flights.join(slot.flight_key)
        if is_leader:
            return (yield from landed(slot, flight, _fly(slot, flight, stale, is_down, deadline)))
        result = yield from _follow(slot, flight, deadline)
        if result is not None:
            return result
        if not is_down:
            entry = yield from _reread(slot)
            if entry is not None:
                return Fetched(entry.value, Stored.YES)


def _follow(slot: Slot, flight: Flight, deadline: float) -> Flow[Fetched | _TimedOut | None]:
    patience = min(deadline, flight.lapses_at) - time.monotonic()
    if not (yield Await(flight, max(0.0, patience))):
        if time.monotonic() >= deadline:
            return _TIMED_OUT
        if time.monotonic() >= flight.lapses_at:
            flights.leave(slot.flight_key, flight)
        return None
    landing, cargo = flight.answer()
    if landing is Landing.ERROR:
        raise cargo
    return Fetched(cargo, Stored.YES) if landing is Landing.VALUE else None


def _reread(slot: Slot) -> Flow[Entry | None]:
    """Return the entry if it may be served now."""
    try:
        entry = yield from slot.read()
    except CacheUnavailable:
        return None
    return entry if slot.judge(entry) in (Verdict.FRESH, Verdict.EARLY) else None


def _fly(
    slot: Slot, flight: Flight, stale: Entry | None, is_down: bool, deadline: float
) -> Flow[Fetched | _TimedOut]:
    ttl = slot.claim_ttl
    claim = Claim.new(State.RUNNING, ttl)
    flight.lapses_at = time.monotonic() + ttl
    grant: Grant | None = None
    if not is_down:
        try:
            won = yield from _begin(slot, flight, claim, ttl, stale, deadline)
        except CacheUnavailable:
            won = None
        if isinstance(won, Entry):
            return Fetched(won.value, Stored.YES)
        if isinstance(won, _TimedOut):
            return won
        grant = won
    errand = Errand(claim, grant, keeps_claim=stale is not None, flights=(flight,))
    return (yield from fetch_and_store(slot, errand))


def _begin(
    slot: Slot, flight: Flight, claim: Claim, ttl: float, stale: Entry | None, deadline: float
) -> Flow[Grant | Entry | _TimedOut]:
    """Claim the key, waiting while another process holds it; or return what that one stored."""
    expect: Any = ABSENT
    for _ in range(ATTEMPTS):
        ops = [*slot.begin_ops(claim, ttl, expect), slot.look_again(stale)]
        outcome = yield from slot.take(claim, ops)
        if outcome.applied:
            flight.lapses_at = time.monotonic() + ttl
            grant = slot.grant(ops, outcome)
            entry = slot.entry_at(outcome, grant)
            if entry is None or slot.judge(entry) not in (Verdict.FRESH, Verdict.EARLY):
                return grant
            yield from release_quietly(slot, grant)
            return entry
        holder = Claim.parse(outcome.value(claim_key(slot.key)))
        serves_stale = stale is not None and slot.job.stale_if_error
        if policy.may_take_over(holder, failed_too=not serves_stale):
            expect = outcome.raw(claim_key(slot.key))
            continue
        if holder is not None and holder.state is State.FAILED:
            return _TIMED_OUT
        brought = yield from _wait_for_claim(slot, stale, deadline)
        if brought is not None:
            return brought
        expect = ABSENT
    raise CacheUnavailable(REFUSED)


def _wait_for_claim(
    slot: Slot, stale: Entry | None, deadline: float
) -> Flow[Entry | _TimedOut | None]:
    """Wait while somebody fetches; return what that brought, None when it is another's turn.

    Each look is for the claim and the entry: one that is missing costs nothing to look for. A
    stale one may be large, and is read when the claim is gone.
    """
    keys = [claim_key(slot.key), *(slot.keys() if stale is None else ())]
    began = now = time.monotonic()
    while now < deadline:
        yield Pause(min(policy.poll_interval(now - began), deadline - now))
        found = yield slot.read_step(keys)
        if stale is None:
            entry = yield from slot.interpret(found)
            if slot.judge(entry) in (Verdict.FRESH, Verdict.EARLY):
                return entry
        holder = Claim.parse(found.get(claim_key(slot.key)))
        if holder is None or holder.state is not State.RUNNING:
            return (yield from _reread(slot)) if stale is not None else None
        now = time.monotonic()
    return _TIMED_OUT


# A refresh in the background


def dispatch(slot: Slot, entry: Entry | None) -> Flow[Fetched | None]:
    """Have the value refreshed in the background, once per key and ``refresh_timeout``.

    Return the value when the queue could not be reached and it was fetched here instead.
    """
    from cacheback_app.queues import get_queue

    get_queue()  # a setting that is wrong shall be heard of before there is a claim
    ttl = slot.claim_ttl + slot.job._dispatch_delay
    claim = Claim.new(State.PENDING, ttl)
    try:
        ops = [
            put(claim_key(slot.key), str(claim), ttl, expect=ABSENT),
            slot.look_again(entry),
        ]
        outcome = yield from slot.take(claim, ops)
        if not outcome.applied:
            return None
        if _is_newer(unpack(outcome.value(slot.key)), entry):
            # Another refresh was dispatched and done since this reader read.
            raw = outcome.raw(claim_key(slot.key))
            yield slot.transact([drop(claim_key(slot.key), expect=raw)])
            return None
    except CacheUnavailable:
        return None
    return (yield from send(slot, claim, entry, ttl))


def _is_newer(there: Entry | None, seen: Entry | None) -> bool:
    if there is None or there.invalidated_at is not None:
        return False
    return seen is None or there.fetched_at > seen.fetched_at


def send(slot: Slot, claim: Claim, entry: Entry | None, ttl: float) -> Flow[Fetched | None]:
    """Hand the refresh that ``claim`` stands for to the queue, or do what the job says instead."""
    try:
        yield from hand_over(slot, claim, entry, ttl)
    except QueueError:
        if slot.job.on_dispatch_error != "fetch":
            yield from abandon(slot, claim)
        if slot.job.on_dispatch_error == "raise":
            raise
        if slot.job.on_dispatch_error == "fetch":
            return (yield from _fetch_instead(slot, claim, entry))
    return None


def _fetch_instead(slot: Slot, claim: Claim, entry: Entry | None) -> Flow[Fetched | None]:
    seen = entry.fetched_at if entry else None
    try:
        return (yield from refresh_claimed(slot, Work(claim, seen, is_background=False)))
    except Exception:  # it was reported where it was raised
        if entry is not None and not slot.job.stale_if_error:
            raise
        return None
