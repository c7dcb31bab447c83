"""Fetching a value and storing it: the part that callers and workers have in common."""

from __future__ import annotations

import contextlib
import logging
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.dispatch import Signal

from cacheback_app import signals
from cacheback_app.conf import conf
from cacheback_app.durations import seconds
from cacheback_app.exceptions import CacheUnavailable, UnstorableValue

from . import backing
from .claims import Claim, State, claim_key, error_key
from .entry import Entry, unpack
from .flights import Flight, flights
from .flow import Fetch, Flow, StopIterationRaised
from .near import near
from .outages import report_unstorable
from .slot import ERROR_TTL, Grant, Slot, Stored
from .state import ABSENT, Op, drop, put, state_for

T = TypeVar("T")

logger = logging.getLogger("cacheback")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A value that was just fetched, and what became of it."""

    value: Any
    stored: Stored


@dataclass(frozen=True, slots=True)
class Errand:
    """On whose behalf a fetch is made."""

    claim: Claim
    grant: Grant | None
    """None when the cache is down: fetch, but do not store."""
    is_background: bool = False
    keeps_claim: bool = False
    """Whether a failure keeps others from trying for ``error_backoff``."""
    flights: tuple[Flight, ...] = ()
    lag: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """What came with the message, see ``signals.refresh_sending``."""


def fetch_and_store(slot: Slot, errand: Errand) -> Flow[Fetched]:
    """Fetch, store, tell the signals; a failure is recorded and raised unchanged."""
    began, clock = time.time(), time.perf_counter()
    try:
        with told(slot, errand):
            value = yield Fetch(*slot.fetch(), errand.flights, (slot.flight_key,))
    except Exception as exc:
        if isinstance(exc, slot.job._gone_errors):
            yield from gone(slot, errand)
        else:
            yield from failed(slot, errand, exc, time.perf_counter() - clock)
        raise
    except BaseException as exc:  # cancelled or interrupted, which is no failure of the upstream
        if not isinstance(exc, GeneratorExit):
            yield from give_up(slot, errand)
        raise
    duration = time.perf_counter() - clock
    for flight in errand.flights:
        # Who comes from now on may have seen the value stored, and deleted again elsewhere.
        flights.leave(slot.flight_key, flight)
    stored = yield from store(slot, errand, value, began, duration)
    report_success(slot, errand, duration, stored)
    return Fetched(value, stored)


@contextlib.contextmanager
def told(slot: Slot, errand: Errand, calls: int = 1) -> Iterator[None]:
    """Signal that user code begins and ends."""
    if not (signals.fetch_began.receivers or signals.fetch_ended.receivers):
        yield
        return
    details = {
        "calls": calls,
        "background": errand.is_background,
        "lag": errand.lag,
        "headers": errand.headers,
    }
    _send(signals.fetch_began, slot, **details)
    raised: BaseException | None = None
    try:
        yield
    except BaseException as exc:
        raised = exc.args[0] if isinstance(exc, StopIterationRaised) else exc
        raise
    finally:
        _send(signals.fetch_ended, slot, exception=raised, **details)


def landed(slot: Slot, flight: Flight, flow: Flow[T]) -> Flow[T]:
    """Run ``flow`` and tell what it brings to those who wait for ``flight``."""
    with flights.leading(slot.flight_key, flight) as bring:
        result = yield from flow
        if isinstance(result, Fetched) and result.stored is not Stored.OVERTAKEN:
            bring(result.value)
        return result


def report_success(slot: Slot, errand: Errand, duration: float, stored: Stored) -> None:
    """Signal that a value was fetched."""
    _send(
        signals.refresh_succeeded,
        slot,
        duration=duration,
        background=errand.is_background,
        stored=stored is Stored.YES,
        lag=errand.lag,
    )


def store(slot: Slot, errand: Errand, value: Any, began: float, duration: float) -> Flow[Stored]:
    """Store ``value`` under the errand's grant and give the claim back, whatever happens.

    :raises RuntimeError: when the write is verified and was lost.
    """
    if errand.grant is None or not conf.enabled:
        yield from give_up(slot, errand)
        return Stored.NO
    try:
        return (yield from _store(slot, errand, errand.grant, value, began, duration))
    except GeneratorExit:
        raise
    except BaseException as exc:
        yield from release_quietly(slot, errand.grant)
        if isinstance(exc, UnstorableValue):
            report_unstorable(f"What {slot.path} returns cannot be cached", exc)
        elif not isinstance(exc, CacheUnavailable):
            raise
        return Stored.NO


def _store(
    slot: Slot, errand: Errand, grant: Grant, value: Any, began: float, duration: float
) -> Flow[Stored]:
    entry = entry_for(slot, value, began, duration, grant.stamps)
    ttl = slot.ttl_left(entry)
    if not slot.job.should_cache(value) or (ttl is not None and ttl <= 0):
        yield slot.transact([_hold_back(slot, errand, grant)])
        return Stored.NO
    if grant.lease is ABSENT:
        yield from verify(slot)
        return Stored.NO
    stored = yield from backing.save(
        slot, value, began, lambda: slot.commit(grant, entry, ttl), _is_stored
    )
    near.remove(slot.flight_key)
    if stored is Stored.YES:
        yield from verify(slot)
    return stored


def _is_stored(stored: Stored) -> bool:
    return stored is Stored.YES


def give_up(slot: Slot, errand: Errand) -> Flow[None]:
    """Let the next one try at once."""
    if errand.grant is not None:
        yield from release_quietly(slot, errand.grant)


def release_quietly(slot: Slot, grant: Grant) -> Flow[None]:
    """Give a claim back where an error is already on its way to the caller."""
    try:
        yield slot.release(grant)
    except Exception as exc:
        logger.debug("Could not release %s", slot.key, exc_info=exc)


def entry_for(
    slot: Slot,
    value: Any,
    began: float,
    duration: float = 0.0,
    stamps: Mapping[str, str] | None = None,
) -> Entry:
    """Return the entry that holds ``value``."""
    job = slot.job
    fresh_until = job.expiry(*slot.args, **slot.kwargs)
    if job.jitter:
        fresh_until -= random.random() * job.jitter * seconds(job.lifetime)  # noqa: S311
    ttl = slot.cache_ttl
    if ttl is not None:
        fresh_until = min(fresh_until, began + ttl)
    if math.isnan(fresh_until):  # no time is past; and NaN is not even equal to itself
        fresh_until = 0.0
    return Entry(job._to_cache(value), began, fresh_until, duration, stamps)


def verify(slot: Slot) -> Flow[None]:
    """Read back what was stored, where a write can be lost without an error.

    :raises RuntimeError: when it is not there.
    """
    wanted = conf.verify_cache_write
    if wanted is None:
        wanted = state_for(slot.alias).can_drop_writes
    if not wanted:
        return
    packed = yield slot.io(lambda state: state.get(slot.key))
    if unpack(packed) is None:
        raise RuntimeError(f"Unable to save a value of {slot.path} to the cache {slot.alias!r}")


def gone(slot: Slot, errand: Errand) -> Flow[None]:
    """Remove what is cached, as the upstream has answered that there is nothing any more."""
    logger.debug("%s found nothing for key %s", slot.path, slot.key)
    near.remove(slot.flight_key)
    with contextlib.suppress(CacheUnavailable):
        if errand.grant is not None and not (yield from slot.discard(errand.grant)):
            yield slot.release(errand.grant)


def failed(slot: Slot, errand: Errand, exc: Exception, duration: float) -> Flow[None]:
    """Tell everybody that a fetch raised, and let the next one try."""
    cause = exc.args[0] if isinstance(exc, StopIterationRaised) else exc
    report_failure(slot, cause, duration, background=errand.is_background)
    if errand.grant is None:
        return
    try:
        outcome = yield slot.transact([_hold_back(slot, errand, errand.grant)])
        if outcome.applied:
            text = f"{type(cause).__name__}: {cause}"[:500]
            yield slot.transact([put(error_key(slot.key), text, ERROR_TTL)])
    except CacheUnavailable:
        return


def _hold_back(slot: Slot, errand: Errand, grant: Grant) -> Op:
    """Return what ends a claim without a value: where there is one to serve, after a while.

    The lease stays: another fetch that shares it may have better luck.
    """
    backoff = seconds(slot.job.error_backoff)
    if errand.keeps_claim and backoff:
        claim = errand.claim.moved(State.FAILED, backoff)
        return put(claim_key(slot.key), str(claim), backoff, expect=grant.claim)
    return drop(claim_key(slot.key), expect=grant.claim)


def report_failure(slot: Slot, exc: Exception, duration: float, *, background: bool) -> None:
    """Log and signal that a fetch raised. Messages of errors may hold arguments: DEBUG only."""
    where = "in the background" if background else "in the caller"
    logger.warning("%s failed %s: %s", slot.path, where, type(exc).__name__)
    logger.debug("%s failed for key %s", slot.path, slot.key, exc_info=exc)
    _send(signals.refresh_failed, slot, duration=duration, background=background, exception=exc)


def _send(signal: Signal, slot: Slot, **details: Any) -> None:
    if signal.receivers:
        signal.send_robust(type(slot.job), job=slot.path, key=slot.key, **details)
