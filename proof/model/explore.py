"""The scheduler: depth-first over all choices, with states that were seen before counted once.

Actors can't be copied, so each branch plays from the beginning again, up to its choice. A state
that another schedule has reached already is not played on: what can follow from it is the same,
and so is the number of interleavings that do, which is added. The count is therefore exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .invariants import ALL, Invariant
from .scenarios import Scenario
from .world import Choice, World


@dataclass(frozen=True)
class Violation:
    """What went wrong, and the schedule that brings it about."""

    scenario: Scenario
    problem: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        steps = "\n".join(f"  {number:2} {step}" for number, step in enumerate(self.trace, 1))
        return f"{self.problem}\n  {self.scenario}\n{steps}"


@dataclass
class Tally:
    """What was explored."""

    scenarios: int = 0
    interleavings: int = 0
    states: int = 0
    runs: int = 0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count ``other`` in."""
        self.scenarios += other.scenarios
        self.interleavings += other.interleavings
        self.states += other.states
        self.runs += other.runs
        self.violations += other.violations

    def note(self, world: World) -> bool:
        """Keep what went wrong in ``world``; return whether anything did."""
        for problem in world.problems:
            self.violations.append(Violation(world.scenario, problem, tuple(world.trace)))
        return bool(world.problems)


@dataclass
class _Frame:
    """A state on the path that is being explored."""

    key: object
    choices: Sequence[Choice]
    at: int = 0
    interleavings: int = 0


def enumerate_all(scenario: Scenario, invariants: Sequence[Invariant] = ALL) -> Tally:
    """Explore every interleaving of ``scenario``; a branch ends at its first violation."""
    tally = Tally(scenarios=1)
    known: dict[object, int] = {}
    path: list[_Frame] = []
    while True:
        world = World(scenario, invariants)
        try:
            found = _descend(world, path, known, tally)
        finally:
            world.close()
        tally.runs += 1
        if not path:
            break
        path[-1].interleavings += found
        while path and path[-1].at == len(path[-1].choices) - 1:
            done = path.pop()
            known[done.key] = done.interleavings
            if path:
                path[-1].interleavings += done.interleavings
            else:
                tally.interleavings = done.interleavings
        if not path:
            break
        path[-1].at += 1
    tally.states = len(known)
    return tally


def _descend(world: World, path: list[_Frame], known: dict[object, int], tally: Tally) -> int:
    """Play ``path``, and on from there until something known; return the interleavings there."""
    for frame in path:
        world.take(frame.choices[frame.at])
        if world.problems:
            tally.note(world)
            return 1
    while True:
        key = hash(world.key())
        if key in known:
            return known[key]
        choices = world.choices()
        if not choices:
            world.finish()
            tally.note(world)
            known[key] = 1
            return 1
        path.append(_Frame(key, choices))
        world.take(choices[0])
        if tally.note(world):
            return 1


def sample(
    scenarios: Iterable[Scenario], seed: int, invariants: Sequence[Invariant] = ALL
) -> Tally:
    """Play each of ``scenarios`` once, with choices drawn by ``seed``."""
    draw = random.Random(seed)
    tally = Tally()
    for scenario in scenarios:
        world = World(scenario, invariants)
        try:
            while not world.problems and (choices := world.choices()):
                world.take(draw.choice(choices))
            if not world.problems:
                world.finish()
            tally.note(world)
        finally:
            world.close()
        tally.scenarios += 1
        tally.interleavings += 1
        tally.runs += 1
    return tally
