"""The scheduler: depth-first over all choices, with states that were seen before counted once.

A state that another schedule has reached already is not played on: what can follow from it is the
same, and so is the number of interleavings that do, which is added. The count is therefore exact.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from .invariants import ALL, Invariant
from .play import Play, Trees
from .scenarios import Scenario
from .world import Choice, World


@dataclass(frozen=True)
class Violation:
    """What went wrong, and the schedule that brings it about."""

    scenario: str
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
    steps: int = 0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count ``other`` in."""
        self.scenarios += other.scenarios
        self.interleavings += other.interleavings
        self.states += other.states
        self.steps += other.steps
        self.violations += other.violations


@dataclass(slots=True)
class _Frame:
    """A state on the path that is being explored."""

    world: World
    key: Hashable
    choices: Sequence[Choice]
    at: int = 0
    interleavings: int = 0

    @property
    def label(self) -> str:
        """The choice that is being explored."""
        return self.world.label(self.choices[self.at - 1])


def enumerate_all(
    scenario: Scenario, invariants: Sequence[Invariant] = ALL, trees: Trees | None = None
) -> Tally:
    """Explore every interleaving of ``scenario``; a branch ends at its first violation.

    :param trees: what is known of the actors already, to be added to.
    """
    trees = trees or Trees()
    play = Play(scenario, invariants, trees)
    tally = Tally(scenarios=1)
    known: dict[Hashable, int] = {}
    first = play.begin()
    path = [_Frame(first, first.key(), first.choices())]
    while True:
        frame = path[-1]
        if frame.at == len(frame.choices):
            path.pop()
            known[frame.key] = frame.interleavings
            if not path:
                break
            path[-1].interleavings += frame.interleavings
            continue
        world = frame.world.copy()
        world.take(frame.choices[frame.at])
        frame.at += 1
        tally.steps += 1
        if not world.problems:
            key = world.key()
            count = known.get(key)
            if count is not None:
                frame.interleavings += count
                continue
            choices = world.choices()
            if choices:
                path.append(_Frame(world, key, choices))
                continue
            world.finish()
            known[key] = 1
        frame.interleavings += 1
        if world.problems:
            trace = tuple(each.label for each in path)
            tally.violations += [Violation(str(scenario), each, trace) for each in world.problems]
    tally.interleavings, tally.states = frame.interleavings, len(known)
    return tally


def sample(
    scenario: Scenario, seed: str, invariants: Sequence[Invariant] = ALL, trees: Trees | None = None
) -> Tally:
    """Play ``scenario`` once, with choices drawn by ``seed``."""
    draw = random.Random(seed)
    world = Play(scenario, invariants, trees or Trees()).begin()
    trace: list[str] = []
    while not world.problems and (choices := world.choices()):
        choice = draw.choice(choices)
        trace.append(world.label(choice))
        world.take(choice)
    if not world.problems:
        world.finish()
    violations = [Violation(str(scenario), each, tuple(trace)) for each in world.problems]
    return Tally(1, 1, len(trace), len(trace), violations)
