"""What is explored, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from .explore import Tally, enumerate_all, sample
from .faults import FAULTS
from .invariants import ALL
from .scenarios import Scenario, every, longer
from .stage import stage
from .windows import WINDOWS, closed

SEED = 20
Explorer = Callable[[Iterable[Scenario]], Tally]


@dataclass(frozen=True)
class Part:
    """One line of the table: scenarios, the cache that they are played on, and how."""

    name: str
    cache: str
    scenarios: Sequence[Scenario]
    explore: Explorer
    within: Callable[[], AbstractContextManager[Any]] = nullcontext

    def run(self) -> Tally:
        """Explore it."""
        with stage(self.cache), self.within():
            return self.explore(self.scenarios)


def _all(scenarios: Iterable[Scenario]) -> Tally:
    tally = Tally()
    for scenario in scenarios:
        tally.add(enumerate_all(scenario))
    return tally


def _drawn(scenarios: Iterable[Scenario]) -> Tally:
    return sample(scenarios, SEED)


def _one_in(count: int, scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Return every ``count``-th scenario: 37 is prime to what the list repeats after."""
    known = list(scenarios)
    return [known[number * 37 % len(known)] for number in range(len(known) // count)]


def parts(thin: int) -> Iterator[Part]:
    """Return what is to be explored.

    :param thin: 1 for all; otherwise one in so many of the pairs, and fewer of what is larger.
    """
    rarely = 1 if thin == 1 else thin * 20
    yield Part("two actors", "AtomicCache", _one_in(thin, every(2, lapses=0)), _all)
    lapsing = _one_in(rarely, every(2, lapses=1))
    yield Part("two actors, claims may lapse once", "AtomicCache", lapsing, _all)
    yield Part("three actors", "AtomicCache", _one_in(rarely * 2, every(3, lapses=0)), _all)
    count = 20_000 // thin
    several = [*longer(4, count, SEED), *longer(6, count, SEED)]
    yield Part("four and six actors, sampled", "AtomicCache", several, _drawn)
    plain = _one_in(thin * 4, every(2, lapses=0))
    name = "two actors, cache without transactions, windows closed"
    yield Part(name, "PlainCache", plain, _all, lambda: closed(*WINDOWS))


def faults() -> list[list[str]]:
    """Return the table of the mistakes that were planted."""
    lines = [["planted mistake", "breaks", "violations", "found"]]
    with stage("AtomicCache"):
        for fault in FAULTS:
            with fault.plant():
                broken = [item for item in ALL if item.name == fault.breaks]
                count = len(enumerate_all(fault.scenario, broken).violations)
            lines.append([fault.name, fault.breaks, str(count), "yes" if count else "NO"])
    return lines


def line(name: str, tally: Tally) -> list[str]:
    """Return the line of the table."""
    counts = (tally.scenarios, tally.interleavings, tally.states, tally.runs)
    return [name, *(f"{count:,}" for count in counts), str(len(tally.violations))]


HEAD = ["explored", "scenarios", "interleavings", "states", "runs", "violations"]
