"""One play: the actors, the clock, and the record of what they did, by which it is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.core.cache import caches

from cacheback_app.engine.claims import claim_key
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.explaining import raw_get
from cacheback_app.engine.flow import drive
from cacheback_app.engine.slot import Slot
from cacheback_app.queues import RefreshCall

from . import jobs
from .stage import Actor, Host, begin, pause, playing

if TYPE_CHECKING:
    from .actors import Role
    from .caches import AtomicCache
    from .invariants import Invariant
    from .scenarios import Scenario

START = 1_000_000.0
LAPSE = jobs.Page.refresh_timeout + 1.0
"""Seconds that pass at once when the scheduler lets every claim lapse."""


class UpstreamDown(Exception):
    """What a fetch raises that is told to fail."""


class Value(NamedTuple):
    """What is cached: where it came from, and the upstream's number then."""

    origin: str
    number: int
    began: float
    """When that was."""

    def __str__(self) -> str:
        return f"{self.number} ({self.origin})"


@dataclass
class Fetching:
    """A fetch, and what had happened when its actor began."""

    actor: Actor
    number: int
    since: Counter[str]
    is_running: bool = True


@dataclass
class Record:
    """What happened, as far as a guarantee speaks of it. None of it is known to the engine."""

    upstream: int = 0
    fresh_floor: int = 0
    """Changes up to this one have ended: what was fetched before must not count as fresh."""
    floor: int = 0
    """As above, of sets and deletions: what was fetched before must not be there at all."""
    counts: Counter[str] = field(default_factory=Counter)
    disturbing: int = 0
    """Changes, and refreshes by name, that are under way: they end other people's claims."""
    fetches: list[Fetching] = field(default_factory=list)
    sets: dict[int, int | None] = field(default_factory=dict)
    """By the number that was set: the upstream's number when that ended, None before."""

    def key(self) -> object:
        """Return what tells it from others."""
        running = tuple(
            (fetch.actor.name, fetch.number, *sorted(fetch.since.items()))
            for fetch in self.fetches
            if fetch.is_running
        )
        floors = (self.upstream, self.fresh_floor, self.floor, self.disturbing)
        return (*floors, *sorted(self.counts.items()), running, *sorted(self.sets.items()))

    def is_outdated(self, value: Value, floor: int) -> bool:
        """Return whether ``value`` is from before the change that made ``floor``."""
        if value.origin == "set":
            ended = self.sets.get(value.number, value.number)
            return ended is not None and ended < floor
        return value.number < floor


@dataclass(frozen=True)
class Choice:
    """What the scheduler may let happen next."""

    kind: str
    """"go", "kill" or "lapse"."""
    index: int = 0


class World:
    """The state of one play, to be moved on choice by choice."""

    def __init__(self, scenario: Scenario, invariants: Sequence[Invariant]) -> None:
        self.scenario = scenario
        self.now = START
        self.writes = 0
        self.record = Record()
        self.messages: list[RefreshCall] = []
        self.delivered = 0
        self.problems: list[str] = []
        self.trace: list[str] = []
        self._drawn = 0
        self._killed: list[Actor] = []
        self._invariants = invariants
        self._visible: tuple[Entry | None] | None = None
        begin(self)
        shared = Host()
        self.host = Host()
        self.host.enter()
        self.job = jobs.TaggedPage() if scenario.is_tagged else jobs.Page()
        self.slot: Slot = self.job._slot_for((jobs.NAME,), {})
        scenario.prepare(self)
        self.actors = [
            Actor(f"{role.name}#{n}", role.play, shared if scenario.share_process else Host())
            for n, role in enumerate(scenario.roles)
        ]
        self.since = {actor: Counter[str]() for actor in self.actors}
        self.floors = dict.fromkeys(self.actors, (0, 0))
        """``fresh_floor`` and ``floor`` when each actor began."""
        self.began = dict.fromkeys(self.actors, START)

    # For the scheduler

    def choices(self) -> list[Choice]:
        """Return what may happen next; nothing when the play has ended."""
        going = [
            Choice("go", index) for index, actor in enumerate(self.actors) if self._can_go(actor)
        ]
        alive = [actor for actor in self.actors if not self.is_over(actor)]
        waiting = any(actor.next in ("sleep", "wait") for actor in alive)
        may_lapse = self.record.counts["lapse"] < self.scenario.lapses and (
            waiting or self._claim_is_there()
        )
        more = [Choice("lapse")] if alive and (may_lapse or (waiting and not going)) else []
        if not self._killed:
            more += [
                Choice("kill", index)
                for index, actor in enumerate(self.actors)
                if self.role(actor).is_mortal and actor.next != "begin" and not actor.has_ended
            ]
        return going + more

    def take(self, choice: Choice) -> None:
        """Let it happen, and judge what has come of it."""
        if choice.kind == "lapse":
            self.trace.append("--- time passes, and claims lapse")
            self.now += LAPSE
            self._visible = None
            self.count("lapse")
        elif choice.kind == "kill":
            self._kill(self.actors[choice.index])
        else:
            self._go(self.actors[choice.index])
        for invariant in self._invariants:
            self._note(invariant, invariant.after_step(self))

    def finish(self) -> None:
        """Judge the end, when nobody has anything left to do."""
        for actor in self.actors:
            if actor.error is not None and not isinstance(actor.error, UpstreamDown):
                self.problems.append(f"{actor.name} raised {actor.error!r}")
        for invariant in self._invariants:
            self._note(invariant, invariant.at_end(self))

    def close(self) -> None:
        """Unwind who is still in the play."""
        self._killed = list(self.actors)
        for actor in self.actors:
            if actor and not actor.dead:
                actor.switch()

    def key(self) -> object:
        """Return what tells this state from all from which other things could follow."""
        return (
            self.now,
            tuple(sorted(self.snapshot().items())),
            self.record.key(),
            self.delivered,
            tuple(call.claim for call in self.messages),
            tuple((actor.digest, actor.next, self._can_go(actor)) for actor in self.actors),
            tuple(actor.host.key() for actor in self.actors),
            len(self._killed),
        )

    def is_over(self, actor: Actor) -> bool:
        """Return whether ``actor`` has nothing more to do."""
        return actor.has_ended or actor in self._killed

    def role(self, actor: Actor) -> Role:
        """Return what ``actor`` plays."""
        return self.scenario.roles[self.actors.index(actor)]

    def _can_go(self, actor: Actor) -> bool:
        if self.is_over(actor):
            return False
        return (
            self.role(actor).may_begin(self)
            if actor.next == "begin"
            else (actor.is_ready is None or actor.is_ready())
        )

    def _go(self, actor: Actor) -> None:
        if actor.next == "begin":
            self.since[actor] = self.record.counts.copy()
            self.floors[actor] = self.record.fresh_floor, self.record.floor
            self.began[actor] = self.now
            actor.learn(*sorted(self.since[actor].items()), *self.floors[actor])
        self.trace.append(f"{actor.name}: {actor.next}")
        actor.learn(actor.next, self.now)
        actor.host.enter()
        actor.switch()
        self.host.enter()

    def _kill(self, actor: Actor) -> None:
        self.trace.append(f"--- {actor.name} is killed")
        self._killed.append(actor)
        self.count("kill")
        for fetch in self.record.fetches:
            fetch.is_running = fetch.is_running and fetch.actor is not actor
        actor.host.enter()
        actor.switch()
        self.host.enter()

    # For the actors and for what they use

    def draw(self) -> int:
        """Return another number each time."""
        self._drawn += 1
        return self._drawn

    def count(self, what: str) -> None:
        """Count an event; who sees it, and who began before it, can be told from the counts."""
        self.record.counts[what] += 1

    def fetch(self) -> Value:
        """Be the upstream of a fetch: begin, let others act, and end."""
        pause("fetch begins")
        record, actor = self.record, playing()
        number = record.upstream
        value = Value("fetch", number, self.now)
        if actor is None:
            return value
        fetch = Fetching(actor, number, self.since[actor])
        for invariant in self._invariants:
            self._note(invariant, invariant.fetch_begins(self, fetch))
        record.fetches.append(fetch)
        self.count("fetch")
        actor.learn(number)
        pause("fetch ends")
        fetch.is_running = False
        if self.role(actor).fails:
            self.count("failure")
            raise UpstreamDown
        return value

    def answered(self, value: Any, status: int) -> None:
        """Judge what a caller of ``get`` is about to be given."""
        if actor := playing():
            for invariant in self._invariants:
                self._note(invariant, invariant.answered(self, actor, value, status))

    def dispatched(self, call: RefreshCall) -> None:
        """Keep a message until it is delivered."""
        self.messages.append(call)
        self.count("dispatch")
        for invariant in self._invariants if playing() else ():
            self._note(invariant, invariant.dispatched(self))

    def wrote(
        self, actor: Actor | None, key: str, before: bytes | None, after: bytes | None
    ) -> None:
        """Judge a write to the cache."""
        if before is None and after is None:  # the cache threw away what had expired
            return
        self.writes += 1
        self._visible = None
        if key == self.slot.key:
            # A clock with a fine resolution: what begins after this is later than it.
            self.now += 0.001
        if actor is not None:
            for invariant in self._invariants:
                self._note(invariant, invariant.wrote(self, actor, key, before, after))

    def _note(self, invariant: Invariant, problem: str | None) -> None:
        if problem:
            self.problems.append(f"{invariant.name}: {problem}")

    # To look at

    def visible(self) -> Entry | None:
        """Return what ``raw_get`` would find now."""
        if self._visible is None:
            self._visible = (drive(raw_get(self.slot)),)
        return self._visible[0]

    @contextmanager
    def at(self, time: float) -> Iterator[None]:
        """Let it be another time within the block."""
        now, self.now = self.now, time
        yield
        self.now = now

    def snapshot(self) -> dict[str, tuple[bytes, float | None]]:
        """Return what is in the cache, with the deadlines."""
        return cast("AtomicCache", caches["default"]).snapshot()

    def _claim_is_there(self) -> bool:
        return claim_key(self.slot.key) in self.snapshot()
