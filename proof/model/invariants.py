"""The guarantees of the contract, as what must hold in every state of every interleaving."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cacheback_app.durations import seconds
from cacheback_app.engine.claims import Claim, State, claim_key
from cacheback_app.engine.policy import Verdict
from cacheback_app.engine.status import HIT, MISS, STALE

from . import jobs

if TYPE_CHECKING:
    from .stage import Actor
    from .world import Fetching, World

CACHE_TTL = (seconds(jobs.Page.cache_ttl) or 0.0) + 0.5
"""Each write takes a millisecond on the clock of the plays, during which values age."""


class Invariant:
    """What a play tells of itself; each method returns what is wrong, or None."""

    name = ""

    def after_step(self, world: World) -> str | None:
        """Judge the state after each step."""

    def at_end(self, world: World) -> str | None:
        """Judge the state when every actor has ended."""

    def fetch_begins(self, world: World, fetch: Fetching) -> str | None:
        """Judge that a fetch begins; it is not among the record's fetches yet."""

    def dispatched(self, world: World) -> str | None:
        """Judge that a refresh was handed to the queue."""

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        """Judge what ``get`` gives its caller."""

    def wrote(
        self, world: World, actor: Actor, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        """Judge a write to the cache."""


def occasions(world: World) -> int:
    """Return how often a value may have had to be fetched so far: once if it was not fresh, and
    once more for each change, for each time that claims lapsed, and for each fetch that failed.
    """
    counts = world.record.counts
    needed = 0 if world.scenario.beginning == "fresh" else 1
    return needed + sum(counts[what] for what in ("change", "lapse", "failure"))


def _lost_claim(world: World, *fetches: Fetching) -> bool:
    """Return whether any of ``fetches`` may have lost its claim since its actor began."""
    counts = world.record.counts
    return any(
        counts[what] != fetch.since[what] for fetch in fetches for what in ("lapse", "disturbance")
    )


class Stale(Invariant):
    """J2: whoever finds a stale value has it at once, and at most one refresh is dispatched per
    claim. ``dispatch`` (``async_refresh``) is asked for by hand, and may be once more."""

    name = "J2"

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        if status == STALE and actor.has_slept:
            return f"{actor.name} waited for a stale value"
        if status == STALE and any(fetch.actor is actor for fetch in world.record.fetches):
            return f"{actor.name} fetched, and was given a stale value"
        return None

    def dispatched(self, world: World) -> str | None:
        asked = sum(role.name == "dispatch" for role in world.scenario.roles)
        if world.record.counts["dispatch"] > occasions(world) + asked:
            return f"{world.record.counts['dispatch']} refreshes were dispatched"
        return None


class Miss(Invariant):
    """J3: one fetch per key at a time, unless the first one's claim lapsed, a change overtook it
    or somebody asked for ``refresh`` by name; no more fetches than there were occasions; and
    nobody who waits goes without an answer before ``wait_timeout``."""

    name = "J3"

    def fetch_begins(self, world: World, fetch: Fetching) -> str | None:
        record = world.record
        for other in record.fetches:
            if other.is_running and not (record.disturbing or _lost_claim(world, other, fetch)):
                return f"{fetch.actor.name} fetches while {other.actor.name} does"
        # Deliveries of what was asked for by hand are occasions of their own.
        asked = sum(role.name == "dispatch" for role in world.scenario.roles)
        if record.counts["fetch"] + 1 > occasions(world) + record.counts["forced"] + asked:
            return f"{fetch.actor.name} makes one fetch too many"
        return None

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        is_early = world.record.counts["lapse"] - world.since[actor]["lapse"] < 2
        fetches = world.role(actor).name != "get without fetch"
        if value is None and fetches and is_early:
            return f"{actor.name} was given nothing"
        return None


class MissWithoutFetch(Invariant):
    """J4: who does not fetch on a miss stores nothing, and never waits."""

    name = "J4"

    def wrote(
        self, world: World, actor: Actor, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        if key == world.slot.key and world.role(actor).name == "get without fetch":
            return f"{actor.name} wrote the entry"
        return None

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        if world.role(actor).name == "get without fetch" and status == MISS and actor.has_slept:
            return f"{actor.name} waited"
        return None


class Fencing(Invariant):
    """J5: what was fetched before a change is not fresh after it, what was fetched before a
    deletion or a ``set`` is not there after it, and no caller who came after it is given it."""

    name = "J5"

    def after_step(self, world: World) -> str | None:
        entry, record = world.visible(), world.record
        if entry is None or entry.value is None:
            return None
        if record.is_outdated(entry.value, record.floor):
            return f"{entry.value} is there after {record.floor} was set or deleted"
        is_fresh = entry.fresh_until > world.now
        if is_fresh and record.is_outdated(entry.value, record.fresh_floor):
            return f"{entry.value} is fresh after change {record.fresh_floor}"
        return None

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        if value is None:
            return None
        floors = world.floors[actor]
        floor = floors[1] if status == STALE else floors[0]
        if world.record.is_outdated(value, floor):
            said = {HIT: "fresh", MISS: "just fetched", STALE: "stale"}[status]
            return f"{actor.name} came after change {floor} and was given {value} as {said}"
        return None


def _was_fetched(value: Any) -> bool:
    """Return whether the age of ``value`` is known: what was set counts from when it is stored."""
    return value is not None and value.origin == "fetch"


class HardExpiry(Invariant):
    """J6: whatever happened since, nobody sees a value that was fetched ``cache_ttl`` ago."""

    name = "J6"

    def after_step(self, world: World) -> str | None:
        entry = world.visible()
        if (
            entry is not None
            and _was_fetched(entry.value)
            and world.now >= entry.value.began + CACHE_TTL
        ):
            return f"{entry.value} outlives cache_ttl"
        return None

    def answered(self, world: World, actor: Actor, value: Any, status: int) -> str | None:
        if (
            status == STALE
            and _was_fetched(value)
            and world.began[actor] >= value.began + CACHE_TTL
        ):
            return f"{actor.name} came after cache_ttl and was given {value}"
        return None

    def at_end(self, world: World) -> str | None:
        entry = world.visible()
        if entry is None or not _was_fetched(entry.value):
            return None
        with world.at(entry.value.began + CACHE_TTL):
            is_gone = world.slot.judge(entry) is Verdict.GONE
        return None if is_gone else f"{entry.value} would outlive cache_ttl"


class SelfHealing(Invariant):
    """J8: only its owner ends or changes a running claim, changes and ``refresh`` apart; and from
    wherever a play ends, whatever was lost in it, one ``refresh_timeout`` later a reader has the
    value fetched or refreshed again."""

    name = "J8"

    def wrote(
        self, world: World, actor: Actor, key: str, before: bytes | None, after: bytes | None
    ) -> str | None:
        if key != claim_key(world.slot.key) or before is None:
            return None
        claim, role = Claim.parse(pickle.loads(before)), world.role(actor)
        if claim is None or claim.state is not State.RUNNING or role.is_change or role.is_forced:
            return None
        if claim.token not in actor.owned:
            return f"{actor.name} ended the claim of {claim.token}"
        return None

    def at_end(self, world: World) -> str | None:
        world.now += seconds(jobs.Page.refresh_timeout) + 1
        sent = len(world.messages)
        world.job.get(jobs.NAME)
        for call in world.messages[sent:]:
            call.run()
        entry = world.visible()
        if entry is None or not entry.fresh_until > world.now:
            return f"the key does not recover; there is {', '.join(sorted(world.snapshot()))}"
        return None


ALL: Sequence[Invariant] = (
    Stale(),
    Miss(),
    MissWithoutFetch(),
    Fencing(),
    HardExpiry(),
    SelfHealing(),
)
