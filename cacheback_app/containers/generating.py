"""How a missing value is generated once, over all threads and processes that share a store.

An entry holds a value, or, while one is being generated, the *claim* of whoever does that: a random
token, and until when the others leave it alone. All is decided by compare-and-set of that one
entry, so there is no window in which a late value could overwrite a newer state:

=========  ==========================================  ============================================
what       is written                                  on condition that the entry
=========  ==========================================  ============================================
claim      my claim                                    is missing, or still what was found: a claim
                                                       that has lapsed, or no value of ours
keep       the value                                   is my claim, or another with my token
fail       nothing: the entry is deleted               is my claim
``=``      the value                                   is anything
``del``    nothing: the entry is deleted               is anything
=========  ==========================================  ============================================

Who takes over a lapsed claim keeps its token, so a generator that is merely slow can still keep
its value, and the first to finish does. ``=`` and ``del`` remove the token, and with it the right
of all who generate to keep what they will come up with (the lease of Nishtala et al., "Scaling
Memcache at Facebook", NSDI 2013; ``docs/protocol.md`` tells how jobs use it).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cacheback_app.conf import conf
from cacheback_app.engine import outages, policy
from cacheback_app.engine.claims import Claim, State, lease_ttl
from cacheback_app.engine.flights import Flight, Landing, flights
from cacheback_app.engine.flow import Await, Fetch, Flow, Pause, Step, is_called_for
from cacheback_app.exceptions import (
    AccessException,
    DataFormatException,
    NotFound,
    NotFoundException,
    UnstorableValue,
)
from cacheback_app.stores.base import BaseStore

from .values import MISSING, decode, encode

if TYPE_CHECKING:
    from .container import CacheContainer


@dataclass(frozen=True, slots=True)
class StoreCall(Step):
    """A call of a store."""

    store: BaseStore
    do: Callable[[], Any]

    def run(self) -> Any:
        return self.do()

    async def arun(self) -> Any:
        return await self.store._run(self.do)


@dataclass(frozen=True, slots=True)
class Place:
    """One key of a container."""

    container: CacheContainer
    key: str

    def read(self) -> str | None:
        """Return what is in the store."""
        try:
            return self.container.backend.get(self.container.name, self.key)
        except NotFoundException:
            return None

    def write(self, text: str, expect: str | None, lifetime: float | None) -> bool:
        """Replace ``expect``, None being no entry, by ``text``; return False if it is not there."""
        container, is_new = self.container, expect is None
        try:
            container.backend.set(container.name, self.key, text, is_new, expect, lifetime)
        except DataFormatException:
            return False
        return True

    def remove(self, expect: str) -> None:
        """Delete the entry if it is ``expect``."""
        with suppress(DataFormatException):
            self.container.backend.delete(self.container.name, self.key, expect)

    def value(self, text: str | None) -> Any:
        """Return the value that an entry holds, MISSING if it is none."""
        return MISSING if text is None else decode(text, self.container.name, self.key)

    def call(self, do: Callable[..., Any], *args: Any) -> StoreCall:
        """Return the step that calls ``do(*args)``, one of the above."""
        return StoreCall(self.container.backend, lambda: do(*args))


def get(place: Place) -> Flow[Any]:
    """Return the value, generated if need be; MISSING when there is no generator."""
    is_down, text = False, None
    try:
        text = yield place.call(place.read)
    except AccessException as exc:
        if not place.container.has_generator:
            raise
        _ignore(place, exc)
        is_down = True
    value = place.value(text)
    if value is not MISSING or not place.container.has_generator:
        return value
    return (yield from _generate_once(place, text, is_down))


def _generate_once(place: Place, text: str | None, is_down: bool) -> Flow[Any]:
    """Generate the value, or wait for whoever does.

    :param text: what is in the entry, and is no value.
    :param is_down: whether the store failed, so that nothing is claimed or kept.
    """
    if is_called_for(place):
        name = place.container.name
        raise RuntimeError(f"the generator of {name!r} asks for the key that it is to generate")
    while True:
        flight, is_leader = flights.join(place)
        if is_leader:
            return (yield from _lead(place, flight, text, is_down))
        patience = min(flight.lapses_at - time.monotonic(), place.container.timeout)
        if (yield Await(flight, max(0.0, patience))):
            landing, cargo = flight.answer()
            if landing is Landing.ERROR:
                raise cargo
            if landing is Landing.VALUE:
                return cargo
        elif time.monotonic() >= flight.lapses_at:
            flights.leave(place, flight)
        if not is_down:
            text = yield from _reread(place)
            value = place.value(text)
            if value is not MISSING:
                return value


def _reread(place: Place) -> Flow[str | None]:
    try:
        text: str | None = yield place.call(place.read)
    except AccessException as exc:
        _ignore(place, exc)
        return None
    return text


def _lead(place: Place, flight: Flight, text: str | None, is_down: bool) -> Flow[Any]:
    flight.lapses_at = time.monotonic() + place.container.timeout
    with flights.leading(place, flight) as bring:
        claim = None if is_down else (yield from _claim(place, flight, text))
        if claim is None or isinstance(claim, Claim):
            value, is_current = yield from _generate(place, flight, claim)
        else:
            value, is_current = claim.value, True
        if is_current:
            bring(value)
        return value


@dataclass(frozen=True, slots=True)
class Found:
    """A value that somebody else has generated meanwhile."""

    value: Any


def _claim(place: Place, flight: Flight, text: str | None) -> Flow[Claim | Found | None]:
    """Claim the entry, waiting while another process does; None when the store fails."""
    try:
        return (yield from _claim_or_wait(place, flight, text))
    except AccessException as exc:
        _ignore(place, exc)
        return None


def _claim_or_wait(place: Place, flight: Flight, text: str | None) -> Flow[Claim | Found | None]:
    timeout = place.container.timeout
    began = now = time.monotonic()
    seen = text
    while True:
        flight.lapses_at = now + timeout
        holder = Claim.parse(text)
        if text != seen:
            began, seen = now, text
        # Whatever a claim says, nobody waits for longer than one may last.
        if holder is None or not time.time() < holder.until or now >= began + timeout:
            mine = _claim_after(holder, timeout)
            if (yield from _take(place, mine, text)):
                flight.lapses_at = time.monotonic() + timeout
                return mine
            if holder is None and now >= began + timeout:
                return None  # the store refuses, and shows nothing that would be in the way
        yield Pause(policy.poll_interval(now - began))
        text = yield place.call(place.read)
        value = place.value(text)
        if value is not MISSING:
            return Found(value)
        now = time.monotonic()


def _take(place: Place, claim: Claim, text: str | None) -> Flow[bool]:
    """Put ``claim`` in the place of ``text``; return False when that is not there."""
    # The right to keep a value outlasts the claim, for generators that are slow; as in jobs.
    lease = lease_ttl(place.container.timeout)
    try:
        taken: bool = yield place.call(place.write, str(claim), text, lease)
    except (AccessException, GeneratorExit):
        raise
    except BaseException:  # cancelled while it was being written
        yield from _release(place, claim)
        raise
    return taken


def _claim_after(holder: Claim | None, timeout: float) -> Claim:
    if holder is None:
        return Claim.new(State.RUNNING, timeout)
    return holder.moved(State.RUNNING, timeout)


def _generate(place: Place, flight: Flight, claim: Claim | None) -> Flow[tuple[Any, bool]]:
    """Return a new value, and whether it is current: nobody has set or deleted it meanwhile."""
    try:
        generator = place.container.generator
        if generator is None:  # taken away a moment ago
            raise NotFound(place.container.name, place.key)
        value = yield Fetch(generator, (place.key,), {}, (flight,), (place,))
    except BaseException as exc:
        if claim is not None and not isinstance(exc, GeneratorExit):
            yield from _release(place, claim)
        raise
    if claim is None:
        return value, True
    try:
        text = encode(value, place.container.name, place.key)
    except UnstorableValue as exc:
        what = f"The container {place.container.name!r} keeps nothing"
        outages.report_unstorable(what, exc)
        yield from _release(place, claim)
        return value, True
    return value, (yield from _keep(place, claim, text))


def _keep(place: Place, claim: Claim, text: str) -> Flow[bool]:
    """Store a generated value under a claim; return False when it is out of date."""
    expect = str(claim)
    try:
        while not (yield place.call(place.write, text, expect, place.container.expire)):
            found = yield place.call(place.read)
            holder = Claim.parse(found)
            if holder is None or holder.token != claim.token:
                return False
            expect = found  # slow: somebody has taken the claim over
    except AccessException as exc:
        _ignore(place, exc)
    return True


def _release(place: Place, claim: Claim) -> Flow[None]:
    """Let the next one try at once."""
    try:
        yield place.call(place.remove, str(claim))
    except AccessException as exc:
        outages.report(f"container {place.container.name}", exc)


def _ignore(place: Place, exc: AccessException) -> None:
    """Go on without the store, or raise ``exc`` when errors of caches are not to be ignored."""
    if not conf.ignore_cache_errors:
        raise exc
    outages.report(f"container {place.container.name}", exc)
