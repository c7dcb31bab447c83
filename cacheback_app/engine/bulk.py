"""``get_many``: one read of the backend, and one fetch for what is missing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Final

from cacheback_app.exceptions import CacheUnavailable

from . import backing, outages
from .claims import Claim, State
from .entry import Entry
from .fetching import Errand, failed, give_up, report_success, store, told
from .flights import Flight, Landing, flights
from .flow import All, Fetch, Flow, Io
from .policy import Verdict
from .reading import Answer, answer, report_read
from .slot import Call, Slot, Stored
from .state import ABSENT, Op, Outcome, state_for
from .status import HIT, MISS

UNREAD: Final = object()


def read(alias: str, keys: Sequence[str]) -> Mapping[str, Any] | None:
    """Return what is stored at ``keys``, None when the cache is down."""
    try:
        return outages.read(alias, state_for(alias), keys)
    except CacheUnavailable:
        return None


def get_many(slots: Sequence[Slot], found: Any = UNREAD) -> Flow[list[Answer]]:
    """Return an answer for each of ``slots``, which all are of one job.

    :param found: what :func:`read` returned for their keys, if they were read already.
    """
    unique = {slot.key: slot for slot in slots}
    if found is UNREAD and slots:
        alias = slots[0].alias
        keys = list(dict.fromkeys(key for slot in slots for key in slot.keys()))
        found = yield Io(lambda: read(alias, keys), state_for(alias).is_local)
    is_down = found is None
    entries: dict[str, Entry | None] = {}
    try:
        for slot in () if is_down else unique.values():
            entries[slot.key] = yield from slot.interpret(found)
    except CacheUnavailable:
        entries, is_down = {}, True
    for slot in unique.values():
        if slot.job._backing is not None and slot.judge(entries.get(slot.key)) is Verdict.GONE:
            entries[slot.key] = yield from backing.restore(slot, is_down=is_down)
    verdicts = {key: slot.judge(entries.get(key)) for key, slot in unique.items()}
    answers = {
        key: Answer(entry.value, HIT, None)
        for key, entry in entries.items()
        if entry is not None and verdicts[key] is Verdict.FRESH
    }
    for key in answers:
        report_read(unique[key], HIT, entry.fetched_at if (entry := entries[key]) else None)
    if slots and slots[0].job._fetches_many:
        missing = [slot for key, slot in unique.items() if verdicts[key] is Verdict.GONE]
        answers |= yield from _fetch_many(missing, is_down)
    rest = [slot for key, slot in unique.items() if key not in answers]
    flows = [answer(s, entries.get(s.key), verdicts[s.key], is_down=is_down) for s in rest]
    if flows:
        answers |= zip((slot.key for slot in rest), (yield All(flows)), strict=True)
    return [answers[slot.key] for slot in slots]


@dataclass(frozen=True, slots=True)
class _Led:
    """A missing key whose fetch this caller leads, in this process and, with a grant, anywhere."""

    slot: Slot
    flight: Flight
    errand: Errand
    found: Entry | None = None
    """What was there when it was claimed."""


def _fetch_many(slots: Iterable[Slot], is_down: bool) -> Flow[dict[str, Answer]]:
    """Fetch in one call what nobody else is fetching; the rest is for others to answer."""
    flown: list[tuple[Slot, Flight]] = []
    for slot in list(filter(_is_fetched_here, slots)):  # which may raise, before anything flies
        flight, is_leader = flights.join(slot.flight_key)
        if is_leader:
            flown.append((slot, flight))
    answers: dict[str, Answer] = {}
    held: deque[_Led] = deque()
    try:
        yield from _claim(flown, held, is_down)
        answers |= yield from _release_fresh(held)
        answers |= yield from _fetch(held)
    except BaseException as exc:
        if not isinstance(exc, GeneratorExit):
            for item in held:
                yield from give_up(item.slot, item.errand)
        raise
    finally:
        for slot, flight in flown:
            flights.land(slot.flight_key, flight, Landing.RETRY)
    return answers


def _is_fetched_here(slot: Slot) -> bool:
    job = slot.job
    return job.should_missing_item_be_fetched_synchronously(*slot.args, **slot.kwargs)


def _claim(flown: Sequence[tuple[Slot, Flight]], held: deque[_Led], is_down: bool) -> Flow[None]:
    """Add to ``held`` what can be claimed."""
    claims = [Claim.new(State.RUNNING, slot.claim_ttl) for slot, _ in flown]
    pairs = list(zip(flown, claims, strict=True))
    begins = [_beginning(slot, claim) for (slot, _), claim in pairs]
    outcomes: Sequence[Outcome] | None = None
    try:
        if flown and not is_down:
            outcomes = yield flown[0][0].io(lambda state: state.apply_many(begins))
    except CacheUnavailable:
        pass  # fetch without a grant
    except BaseException as exc:
        if not isinstance(exc, (Exception, GeneratorExit)):
            for (slot, _), claim in pairs:
                yield from slot.withdraw(claim)
        raise
    if outcomes is None:
        held += [_Led(slot, flight, Errand(claim, None)) for (slot, flight), claim in pairs]
        return
    for ((slot, flight), claim), ops, outcome in zip(pairs, begins, outcomes, strict=True):
        if outcome.applied:  # otherwise the ordinary way of waiting is good enough
            flight.lapses_at = time.monotonic() + slot.claim_ttl
            grant = slot.grant(ops, outcome)
            entry = slot.entry_at(outcome, grant)
            held.append(_Led(slot, flight, Errand(claim, grant), entry))


def _beginning(slot: Slot, claim: Claim) -> list[Op]:
    return [*slot.begin_ops(claim, slot.claim_ttl, ABSENT), slot.look_again(None)]


def _release_fresh(held: deque[_Led]) -> Flow[dict[str, Answer]]:
    """Give back the claims on what somebody has stored in the meantime; return the answers."""
    answers: dict[str, Answer] = {}
    for _ in range(len(held)):
        item = held.popleft()
        if item.found is None or item.slot.judge(item.found) is not Verdict.FRESH:
            held.append(item)
            continue
        yield from give_up(item.slot, item.errand)
        answers[item.slot.key] = Answer(item.found.value, HIT, None)
        report_read(item.slot, HIT, item.found.fetched_at)
    return answers


def _fetch(held: deque[_Led]) -> Flow[dict[str, Answer]]:
    """Fetch what is ``held``, and store it, whereby nothing is held any more."""
    if not held:
        return {}
    led = list(held)
    began, clock = time.time(), time.perf_counter()
    try:
        with told(led[0].slot, led[0].errand, calls=len(led)):
            values = yield from _values(led)
    except Exception as exc:
        while held:
            item = held.popleft()
            yield from failed(item.slot, item.errand, exc, time.perf_counter() - clock)
            report_read(item.slot, MISS)
            flights.land(item.slot.flight_key, item.flight, Landing.ERROR, exc)
        raise
    duration = time.perf_counter() - clock
    for item in led:
        flights.leave(item.slot.flight_key, item.flight)  # as in fetch_and_store()
    for value in values:
        item = held.popleft()
        stored = yield from store(item.slot, item.errand, value, began, duration)
        is_shared = stored is not Stored.OVERTAKEN
        landing = Landing.VALUE if is_shared else Landing.RETRY
        flights.land(item.slot.flight_key, item.flight, landing, value)
        report_success(item.slot, item.errand, duration, stored)
        report_read(item.slot, MISS)
    return {
        item.slot.key: Answer(value, MISS, True) for item, value in zip(led, values, strict=True)
    }


def _values(led: Sequence[_Led]) -> Flow[Sequence[Any]]:
    job = led[0].slot.job
    calls = [item.slot.call for item in led]
    flown, places = zip(*((item.flight, item.slot.flight_key) for item in led), strict=True)
    values: list[Any] = yield Fetch(_listing(job.fetch_many), (calls,), {}, flown, places)
    if len(values) != len(calls):
        raise ValueError(f"fetch_many() gave {len(values)} values for {len(calls)} calls")
    return values


def _listing(fetch_many: Callable[..., Any]) -> Callable[..., Any]:
    """Return what lists the results where they are fetched: a generator is user code, too."""
    if iscoroutinefunction(fetch_many):

        async def afetch_all(calls: Sequence[Call]) -> list[Any]:
            return list(await fetch_many(calls))

        return afetch_all
    return lambda calls: list(fetch_many(calls))
