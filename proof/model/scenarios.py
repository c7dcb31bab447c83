"""Who plays, and what is cached when they begin."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from .actors import ROLES, Role
from .jobs import NAME
from .world import Value

if TYPE_CHECKING:
    from .world import World


def _missing(world: World) -> None:
    """Nothing is cached."""


def _fresh(world: World) -> None:
    world.job.set(NAME, data=Value("fetch", 0, world.now))


def _stale(world: World) -> None:
    _fresh(world)
    world.now += 150


def _pending(world: World) -> None:
    _stale(world)
    world.job.async_refresh(NAME)


BEGINNINGS: dict[str, Callable[[World], None]] = {
    "missing": _missing,
    "fresh": _fresh,
    "stale": _stale,
    "stale, refresh dispatched": _pending,
}


@dataclass(frozen=True)
class Scenario:
    """What is enumerated: all interleavings of these roles from this beginning."""

    roles: tuple[Role, ...]
    beginning: str
    share_process: bool = False
    lapses: int = 1
    """How often the scheduler may let all claims lapse, at any point."""

    @property
    def is_tagged(self) -> bool:
        """Whether what is cached carries a tag."""
        return any(role.is_tagged for role in self.roles)

    def prepare(self, world: World) -> None:
        """Bring ``world`` to its beginning."""
        BEGINNINGS[self.beginning](world)
        world.record.counts.clear()
        if world.messages:
            world.record.counts["dispatch"] = 1

    def __str__(self) -> str:
        where = "in one process" if self.share_process else "in processes of their own"
        return f"{', '.join(role.name for role in self.roles)}; {self.beginning}; {where}"


def scenario(*names: str, beginning: str, lapses: int = 0) -> Scenario:
    """Return the scenario of the roles of these names."""
    known = {role.name: role for role in ROLES}
    return Scenario(tuple(known[name] for name in names), beginning, lapses=lapses)


def every(actors: int, *, lapses: int = 1) -> Iterator[Scenario]:
    """Return all scenarios of that many actors: their roles, beginnings, and processes."""
    for roles in combinations_with_replacement(ROLES, actors):
        for beginning in BEGINNINGS:
            for share_process in (False, True):
                if share_process and any(role.is_mortal for role in roles):
                    continue  # who shares a process dies with it
                yield Scenario(roles, beginning, share_process, lapses)


def longer(actors: int, count: int, seed: int) -> Iterator[Scenario]:
    """Return scenarios of that many actors, drawn by ``seed``: too many to take all."""
    draw = random.Random(seed)
    for _ in range(count):
        roles = tuple(draw.choice(ROLES) for _ in range(actors))
        share_process = draw.random() < 0.5 and not any(role.is_mortal for role in roles)
        yield Scenario(roles, draw.choice(list(BEGINNINGS)), share_process, lapses=2)
