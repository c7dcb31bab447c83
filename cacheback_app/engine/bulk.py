"""``get_many``: one read of the backend, and one fetch for what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cacheback_app.exceptions import CacheUnavailable

from . import outages
from .claims import Claim, State
from .fetching import Errand, Stored, failed, release_quietly, report_success, store
from .flights import Flight, Landing, flights
from .flow import All, Fetch, Flow, Io
from .policy import Verdict
from .reading import Answer, answer, report_read
from .slot import Grant, Slot
from .state import ABSENT, state_for
from .status import HIT, MISS


def get_many(slots: Sequence[Slot]) -> Flow[list[Answer]]:
    """Return an answer for each of ``slots``, which all are of one job."""
    unique = {slot.key: slot for slot in slots}
    answers: dict[str, Answer] = {}
    try:
        entries = yield from _read(list(unique.values()))
        is_down = False
    except CacheUnavailable:
        entries, is_down = {}, True
    rest = []
    for key, slot in unique.items():
        if slot.judge(entry := entries.get(key)) is Verdict.FRESH and entry is not None:
            answers[key] = Answer(entry.value, HIT, None)
            report_read(slot, HIT)
        else:
            rest.append(slot)
    missing = [slot for slot in rest if slot.judge(entries.get(slot.key)) is Verdict.GONE]
    if missing and not is_down and slots[0].job._fetches_many:
        answers |= yield from _fetch_many(missing)
    rest = [slot for slot in rest if slot.key not in answers]
    if rest:
        flows = [answer(slot, entries.get(slot.key), is_down=is_down) for slot in rest]
        answers |= zip((slot.key for slot in rest), (yield All(flows)), strict=True)
    return [answers[slot.key] for slot in slots]


def _read(slots: Sequence[Slot]) -> Flow[dict[str, Any]]:
    if not slots:
        return {}
    alias = slots[0].alias
    keys = list(dict.fromkeys(key for slot in slots for key in slot.keys()))
    found: Mapping[str, Any] = yield Io(
        lambda: outages.read(alias, state_for(alias).get_many, keys) or {},
        state_for(alias).is_local,
    )
    entries = {}
    for slot in slots:
        entries[slot.key] = yield from slot.interpret(found)
    return entries


@dataclass(frozen=True, slots=True)
class _Led:
    """A missing key whose fetch this caller leads, in this process and, with a grant, anywhere."""

    slot: Slot
    flight: Flight
    claim: Claim
    grant: Grant


def _fetch_many(slots: Iterable[Slot]) -> Flow[dict[str, Answer]]:
    """Fetch in one call what nobody else is fetching; the rest is for others to answer."""
    wanted = [s for s in slots if _is_fetched_here(s)]
    flown: list[tuple[Slot, Flight]] = []
    for slot in wanted:
        flight, is_leader = flights.join(slot.flight_key)
        if is_leader:
            flown.append((slot, flight))
    try:
        led, answers = yield from _claim(flown)
        answers |= yield from _fetch(led)
    finally:
        for slot, flight in flown:
            flights.leave(slot.flight_key, flight)
            flight.land(Landing.RETRY)
    return answers


def _is_fetched_here(slot: Slot) -> bool:
    job = slot.job
    return job.should_missing_item_be_fetched_synchronously(*slot.args, **slot.kwargs)


def _claim(flown: Sequence[tuple[Slot, Flight]]) -> Flow[tuple[list[_Led], dict[str, Answer]]]:
    led: list[_Led] = []
    answers: dict[str, Answer] = {}
    if not flown:
        return led, answers
    claims = [Claim.new(State.RUNNING, slot.claim_ttl) for slot, _ in flown]
    transactions = [
        slot.begin_ops(claim, slot.claim_ttl, ABSENT)
        for (slot, _), claim in zip(flown, claims, strict=True)
    ]
    try:
        outcomes = yield flown[0][0].io(lambda state: state.apply_many(transactions))
    except CacheUnavailable:
        return led, answers
    for (slot, flight), claim, outcome in zip(flown, claims, outcomes, strict=True):
        if not outcome.applied:
            continue  # somebody else fetches it; the ordinary way of waiting is good enough
        grant = slot.grant(outcome)
        entry = slot.entry_at(outcome, grant)
        if entry is not None and slot.judge(entry) is Verdict.FRESH:
            yield slot.release(grant)
            answers[slot.key] = Answer(entry.value, HIT, None)
        else:
            flight.lapses_at = time.monotonic() + slot.claim_ttl
            led.append(_Led(slot, flight, claim, grant))
    return led, answers


def _fetch(led: Sequence[_Led]) -> Flow[dict[str, Answer]]:
    if not led:
        return {}
    began, clock = time.time(), time.perf_counter()
    try:
        values = yield from _values(led)
    except Exception as exc:
        for item in led:
            errand = Errand(item.claim, item.grant)
            yield from failed(item.slot, errand, exc, time.perf_counter() - clock)
            item.flight.land(Landing.ERROR, exc)
        raise
    except BaseException as exc:
        for item in () if isinstance(exc, GeneratorExit) else led:
            yield from release_quietly(item.slot, item.grant)
        raise
    duration = time.perf_counter() - clock
    for item, value in zip(led, values, strict=True):
        stored = yield from store(item.slot, item.grant, value, began, duration)
        if stored is not Stored.OVERTAKEN:
            item.flight.land(Landing.VALUE, value)
        report_success(item.slot, Errand(item.claim, item.grant), duration, stored)
        report_read(item.slot, MISS)
    return {
        item.slot.key: Answer(value, MISS, True) for item, value in zip(led, values, strict=True)
    }


def _values(led: Sequence[_Led]) -> Flow[Sequence[Any]]:
    job = led[0].slot.job
    calls = [item.slot.call for item in led]
    values = list((yield Fetch(job.fetch_many, (calls,), {})))
    if len(values) != len(calls):
        raise ValueError(f"fetch_many() gave {len(values)} values for {len(calls)} calls")
    return values
