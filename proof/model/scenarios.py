"""Who plays, and what is cached when they begin."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING, Any

from cacheback_app.durations import seconds

from .actors import ASYNC, KNOWN, MANY, ROLES, TWICE, Role
from .jobs import TAGGED, Bulk, Near, Page, X, Y
from .players import Names
from .world import START, Facts, Value

if TYPE_CHECKING:
    from .world import World

PENDING = "stale, refresh dispatched"
BEGINNINGS = ("missing", "fresh", "stale", PENDING)


SEED = 20
_ANY = [*ROLES, *ASYNC]


def _age(beginning: str, job: Page) -> float:
    """Return how old a value is that is cached in the beginning."""
    fresh, ends = seconds(job.lifetime), seconds(job.cache_ttl) or 0.0
    return {"fresh": 0.0, "soon stale": fresh - 20}.get(beginning, (fresh + ends) / 2)


@dataclass(frozen=True)
class Scenario:
    """What is enumerated: all interleavings of these roles from this beginning."""

    roles: tuple[Role, ...]
    beginning: str
    hosts: tuple[int, ...]
    """The process of each."""
    lapses: int = 0
    """How often the scheduler may let all claims lapse, at any point."""
    page: type[Page] = Page
    """What is cached, apart from tags."""
    other: str | None = None
    """The beginning of another key, if there is one."""

    @property
    def job(self) -> type[Page]:
        """What is cached."""
        return TAGGED[self.page] if any(role.is_tagged for role in self.roles) else self.page

    @property
    def names(self) -> Names:
        """The arguments with which it is called."""
        return (X,) if self.other is None else (X, Y)

    def prepare(self, world: World) -> None:
        """Bring ``world`` to its beginning."""
        job, beginnings = world.play.job, (self.beginning, self.other or "")
        cached = dict(zip(self.names, beginnings, strict=False))
        for name, beginning in cached.items():
            if beginning != "missing":
                world.now = START - _age(beginning, job)
                job.set(name, data=Value(name, "fetch", 0, world.now))
        world.now = START + 1
        for name, beginning in cached.items():
            if beginning == PENDING:
                job.async_refresh(name)
            # Deliveries of what is asked for by hand are occasions of their own.
            asked = sum(role.name == "dispatch" for role in self.roles) * (name == X)
            occasions = asked + (beginning in ("missing", "stale", PENDING))
            left = occasions - (beginning == PENDING)
            world.facts[name] = Facts(fetches_left=occasions, dispatches_left=left)

    def __str__(self) -> str:
        roles = ", ".join(role.name for role in self.roles)
        what = self.beginning if self.other is None else f"{self.beginning}, {self.other}"
        count = len({*self.hosts})
        where = {1: "in one process", len(self.roles): "in processes of their own"}.get(
            count, f"in processes {self.hosts}"
        )
        return f"{roles}; {what}; {where}"


def scenario(
    *names: str, beginning: str, hosts: tuple[int, ...] | None = None, **more: Any
) -> Scenario:
    """Return the scenario of the roles of these names, in processes of their own by default."""
    roles = tuple(KNOWN[name] for name in names)
    return Scenario(roles, beginning, hosts or tuple(range(len(roles))), **more)


def _hosts(roles: Sequence[Role]) -> Iterator[tuple[int, ...]]:
    """Return who may share a process: nobody, or all. Who shares a process dies with it."""
    yield tuple(range(len(roles)))
    if not any(role.is_mortal for role in roles):
        yield (0,) * len(roles)


def every(actors: int, *, lapses: int = 0) -> list[Scenario]:
    """Return all scenarios of that many actors: their roles, beginnings, and processes."""
    return [
        Scenario(roles, beginning, hosts, lapses)
        for roles in combinations_with_replacement(ROLES, actors)
        for beginning in BEGINNINGS
        for hosts in _hosts(roles)
    ]


def with_async(*, lapses: int) -> list[Scenario]:
    """Return all scenarios of a caller in an event loop and another caller."""
    return [
        Scenario(roles, beginning, hosts, lapses)
        for roles in _with(ASYNC, ROLES)
        for beginning in BEGINNINGS
        for hosts in _hosts(roles)
    ]


def of_two_keys() -> list[Scenario]:
    """Return all scenarios of a reader of two keys, which share a tag, and another caller."""
    return [
        Scenario(roles, beginning, hosts, page=page, other=other)
        for roles in _with(MANY, ROLES)
        for beginning, other in product(BEGINNINGS, BEGINNINGS[:3])
        for hosts in _hosts(roles)
        for page in (Page, Bulk)
    ]


_NEAR = [role for role in ROLES if role.fetches and not (role.is_mortal or role.fails)]
_READERS = [KNOWN["get"], KNOWN["aget"]]


def near() -> list[Scenario]:
    """Return all scenarios of a reader who is served from the memory of its process, and another
    caller there, or, while time passes, elsewhere. Something is cached: what is missing or stale
    is not put into that memory."""
    return [
        Scenario((TWICE, role), beginning, hosts, lapses, Near)
        for role in (*_NEAR, KNOWN["aget"])
        for hosts, lapses, beginnings in (
            ((0, 1), 2, ("fresh", "soon stale")),
            ((0, 0), 0, BEGINNINGS[1:]),
        )
        for beginning in beginnings
    ]


def near_together() -> list[Scenario]:
    """Return all scenarios of two readers and another caller in one process."""
    return [
        Scenario((_READERS[0], reader, role), beginning, (0, 0, 0), 0, Near)
        for reader in _READERS
        for role in _NEAR
        for beginning in BEGINNINGS[1:]
    ]


def _with(some: Sequence[Role], others: Sequence[Role]) -> Iterator[tuple[Role, ...]]:
    """Return all pairs of one of ``some`` with another of them, or with one of ``others``; of a
    pair one at most may be cancelled."""
    for pair in (*combinations_with_replacement(some, 2), *product(some, others)):
        if not all(role.may_be_cancelled for role in pair):
            yield pair


def longer(actors: int, count: int) -> Iterator[Scenario]:
    """Return scenarios of that many actors, drawn by chance: too many to take all."""
    draw = random.Random(SEED)
    for _ in range(count):
        roles = tuple(draw.choice(_ANY) for _ in range(actors))
        hosts = draw.choice(list(_hosts(roles)))
        yield Scenario(roles, draw.choice(BEGINNINGS), hosts, lapses=2)


def count_longer(*actors: int) -> int:
    """Return how many there are of that many actors each."""
    shared = sum(not role.is_mortal for role in _ANY)
    return sum(len(BEGINNINGS) * int(len(_ANY) ** count + shared**count) for count in actors)
