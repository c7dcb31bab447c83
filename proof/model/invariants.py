"""The guarantees of the contract, as what must hold in every state of every interleaving."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from cacheback_app.durations import seconds
from cacheback_app.engine.claims import Claim, State
from cacheback_app.engine.status import HIT, MISS, STALE

from .jobs import Page

if TYPE_CHECKING:
    from .world import Value, World

MOMENT = 0.5
"""Each write takes a millisecond on the clock of the plays, during which values age."""


class Invariant:
    """What a play tells of itself; each method returns what is wrong, or None."""

    name = ""

    def after_step(self, world: World) -> str | None:
        """Judge the state after each step."""

    def at_end(self, world: World) -> str | None:
        """Judge the state when every actor has ended."""

    def stuck(self, world: World) -> str | None:
        """Judge the state when nobody can go on before time passes."""

    def fetch_begins(self, world: World, who: int, name: str) -> str | None:
        """Judge that a fetch begins; it is not among those of its actor yet."""

    def dispatched(self, world: World, who: int, name: str) -> str | None:
        """Judge that a refresh is handed to the queue."""

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        """Judge what ``get`` gives its caller."""

    def wrote(
        self, world: World, who: int, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        """Judge a write to the cache."""


class Stale(Invariant):
    """J2: whoever finds a stale value has it at once, and at most one refresh is dispatched per
    claim. ``dispatch`` (``async_refresh``) is asked for by hand, and may be once more."""

    name = "J2"

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        standing = world.standings[who]
        if status == STALE and standing.has_slept and not world.play.roles[who].is_many:
            return f"{world.play.name(who)} waited for a stale value"
        if status == STALE and name in standing.fetched:
            return f"{world.play.name(who)} fetched, and was given a stale value"
        return None

    def dispatched(self, world: World, who: int, name: str) -> str | None:
        if world.facts[name].dispatches_left < 1:
            return f"{world.play.name(who)} dispatches one refresh too many"
        return None


class Miss(Invariant):
    """J3: one fetch per key at a time, unless the first one's claim lapsed, a change overtook it
    or somebody asked for ``refresh`` by name; no more fetches than there were occasions; and
    nobody who waits goes without an answer before ``wait_timeout``."""

    name = "J3"

    def fetch_begins(self, world: World, who: int, name: str) -> str | None:
        facts, play = world.facts[name], world.play
        is_lost = facts.disturbing or name in world.standings[who].disturbed
        for other, standing in enumerate(world.standings) if not is_lost else ():
            if name in standing.fetching and name not in standing.disturbed:
                return f"{play.name(who)} fetches while {play.name(other)} does"
        if facts.fetches_left < 1:
            return f"{play.name(who)} makes one fetch too many"
        return None

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        is_early = world.standings[who].lapses < 2
        if value is None and world.play.roles[who].fetches and is_early:
            return f"{world.play.name(who)} was given nothing"
        return None

    def stuck(self, world: World) -> str | None:
        if world.is_killed:  # whose claim has to lapse
            return None
        is_claimed = _claimed(world) is not None
        for who, standing in enumerate(world.standings):
            if standing.waits and (is_claimed or standing.waits.flight):
                return f"{world.play.name(who)} waits, and nobody is at work"
        return None


class MissWithoutFetch(Invariant):
    """J4: who does not fetch on a miss stores nothing, and never waits."""

    name = "J4"

    def wrote(
        self, world: World, who: int, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        if key in world.play.entries and not world.play.roles[who].fetches:
            return f"{world.play.name(who)} wrote the entry"
        return None

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        has_slept = world.standings[who].has_slept
        if not world.play.roles[who].fetches and status == MISS and has_slept:
            return f"{world.play.name(who)} waited"
        return None


class Fencing(Invariant):
    """J5: what was fetched before a change is not fresh after it, what was fetched before a
    deletion or a ``set`` is not there after it, and no caller who came after it is given it."""

    name = "J5"

    def after_step(self, world: World) -> str | None:
        for name, entry in world.entries().items():
            if entry is None or entry.value is None:
                continue
            facts = world.facts[name]
            if facts.is_outdated(entry.value, facts.floor):
                return f"{entry.value} is there after {facts.floor} was set or deleted"
            is_fresh = entry.fresh_until > world.now
            if is_fresh and facts.is_outdated(entry.value, facts.fresh_floor):
                return f"{entry.value} is fresh after change {facts.fresh_floor}"
        return None

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        if value is None:
            return None
        floors = world.standings[who].floors[world.play.names.index(name)]
        floor = floors[{MISS: 0, STALE: 1, HIT: 2}[status]]
        if world.facts[name].is_outdated(value, floor):
            said = {HIT: "fresh", MISS: "just fetched", STALE: "stale"}[status]
            who_came = f"{world.play.name(who)} came after change {floor}"
            return f"{who_came} and was given {value} as {said}"
        return None


class Keys(Invariant):
    """J13: what is cached for a call, and what is given for it, is its own."""

    name = "J13"

    def after_step(self, world: World) -> str | None:
        for name, entry in world.entries().items():
            if entry is not None and entry.value is not None and entry.value.name != name:
                return f"{entry.value} is cached for {name}"
        return None

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        if value is not None and value.name != name:
            return f"{world.play.name(who)} was given {value} for {name}"
        return None


def _cached(world: World) -> Iterator[Value]:
    return (entry.value for entry in world.entries().values() if entry and entry.value)


def _was_fetched(value: Value) -> bool:
    """Return whether the age of ``value`` is known: what was set counts from when it is stored."""
    return value.origin == "fetch"


def _end(world: World, value: Value) -> float:
    return value.began + (world.play.cache_ttl or 0.0) + MOMENT


class HardExpiry(Invariant):
    """J6: whatever happened since, nobody sees a value that was fetched ``cache_ttl`` ago."""

    name = "J6"

    def after_step(self, world: World) -> str | None:
        for value in _cached(world):
            if _was_fetched(value) and world.now >= _end(world, value):
                return f"{value} outlives cache_ttl"
        return None

    def answered(
        self, world: World, who: int, name: str, value: Value | None, status: int
    ) -> str | None:
        if value is None or status == MISS or not _was_fetched(value):
            return None
        if world.standings[who].began >= _end(world, value):
            return f"{world.play.name(who)} came after cache_ttl and was given {value}"
        return None

    def at_end(self, world: World) -> str | None:
        for value in _cached(world):
            if _was_fetched(value) and not world.play.is_gone(
                world, value.name, _end(world, value)
            ):
                return f"{value} would outlive cache_ttl"
        return None


class SelfHealing(Invariant):
    """J8: only its owner ends or changes a running claim, changes and ``refresh`` apart; only who
    dies leaves one, or one for a message that was never sent; and from wherever a play ends,
    whatever was lost in it, one ``refresh_timeout`` later a reader has the value fetched or
    refreshed again."""

    name = "J8"

    def wrote(
        self, world: World, who: int, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        if key not in world.play.claims or before is None:
            return None
        role = world.play.roles[who]
        if role.is_change or role.is_forced:
            return None
        claim = _claim(before)
        if claim is None or claim.state is not State.RUNNING or _owns(world, who, claim.token):
            return None
        return f"{world.play.name(who)} ended the claim of {claim.token}"

    def at_end(self, world: World) -> str | None:
        owner = _claimed(world)
        if owner is not None and not world.is_killed:
            return f"the claim of {owner} is left"
        for name in world.play.names:
            later = world.play.later(world, seconds(Page.refresh_timeout) + 1, name)
            entry = None if later is None else later.entries()[name]
            if later is None or entry is None or not entry.fresh_until > later.now:
                left = ", ".join(sorted(world.contents))
                return f"{name} does not recover; there is {left}"
        return None


def _claimed(world: World) -> str | None:
    """Return the token of a claim whose owner is to be at work, or to be sent for."""
    sent = [token for _, token in world.messages]
    for key in world.play.claims:
        claim = _claim(world.look(None, key))
        if claim is None or claim.state is State.FAILED:
            continue
        if claim.state is State.RUNNING or claim.token not in sent:
            return claim.token
    return None


def _owns(world: World, who: int, token: str) -> bool:
    return token.partition(".")[0] == str(who) or token == world.standings[who].message


@lru_cache(maxsize=10_000)
def _claim(raw: bytes | None) -> Claim | None:
    return None if raw is None else Claim.parse(pickle.loads(raw))


ALL: Sequence[Invariant] = (
    Stale(),
    Miss(),
    MissWithoutFetch(),
    Fencing(),
    HardExpiry(),
    SelfHealing(),
    Keys(),
)
