"""What is explored, by how many processes, and the table of it."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from typing import Any, TextIO

from cacheback_app.console import progress
from proof import set_up

from .explore import Tally, enumerate_all, sample
from .faults import FAULTS
from .invariants import ALL
from .play import Trees
from .scenarios import (
    SEED,
    Scenario,
    count_longer,
    every,
    longer,
    near,
    near_together,
    of_two_keys,
    with_async,
)
from .stage import stage
from .windows import WINDOWS, closed

CHUNK = 24
"""Scenarios that a process takes at once. Those that follow each other have actors in common."""
MOST_KNOWN = 300_000
"""Requests of actors that are kept in memory: about 200 MB."""


def _explored(scenario: Scenario, trees: Trees) -> Tally:
    return enumerate_all(scenario, ALL, trees)


def _played(scenario: Scenario, trees: Trees) -> Tally:
    return sample(scenario, f"{SEED} {scenario}", ALL, trees)


def _windows_closed() -> AbstractContextManager[None]:
    return closed(*WINDOWS)


@dataclass(frozen=True)
class Part:
    """One line of the table: scenarios, the cache that they are played on, and how."""

    name: str
    scenarios: Sequence[Scenario]
    known: int
    """How many there are of the kind."""
    explore: Callable[[Scenario, Trees], Tally] = _explored
    cache: str = "AtomicCache"
    within: Callable[[], AbstractContextManager[Any]] = nullcontext

    def thinned(self, thin: int) -> Part:
        """Return one that has one in so many of the scenarios."""
        count = -(-len(self.scenarios) // thin)
        numbers = random.Random(SEED).sample(range(len(self.scenarios)), count)
        return replace(self, scenarios=[self.scenarios[number] for number in sorted(numbers)])

    def run(self, begin: int = 0, end: int | None = None, trees: Trees | None = None) -> Tally:
        """Explore it, or those scenarios of it.

        :param trees: what is known of the actors already, to be added to.
        """
        tally, own = Tally(), trees or Trees()
        with stage(self.cache), self.within():
            for scenario in self.scenarios[begin:end]:
                tally.add(self.explore(scenario, own))
            if trees is None or trees.size > MOST_KNOWN:
                own.close()
        return tally

    def line(self, tally: Tally) -> list[str]:
        """Return its line of the table."""
        counts = (tally.interleavings, tally.states, tally.steps, len(tally.violations))
        share = f"{tally.scenarios:,} of {self.known:,}"
        return [self.name, share, *(f"{count:,}" for count in counts)]


HEAD = ["explored", "scenarios", "interleavings", "states", "steps", "violations"]


def _all(name: str, scenarios: Sequence[Scenario], **more: Any) -> Part:
    return Part(name, scenarios, len(scenarios), **more)


@lru_cache(maxsize=1)
def parts() -> Sequence[Part]:
    """Return what is to be explored."""
    plain = {"cache": "PlainCache", "within": _windows_closed}
    drawn = [*longer(4, 10_000), *longer(6, 10_000)]
    return [
        _all("two actors; claims may lapse twice", every(2, lapses=2)),
        _all("three actors", every(3)),
        _all("three actors; claims may lapse", every(3, lapses=1)).thinned(200),
        _all("two actors, one in an event loop; claims may lapse", with_async(lapses=1)),
        _all("two actors, one reads two keys", of_two_keys()),
        _all("two actors, one has local_ttl; time may pass twice", near()),
        _all("three actors, two have local_ttl", near_together()),
        Part("four and six actors, one play each", drawn, count_longer(4, 6), _played),
        _all("two actors; cache without transactions, windows closed", every(2), **plain),
    ]


@lru_cache(maxsize=1)
def _thinned(thin: int) -> Sequence[Part]:
    return [part.thinned(thin) for part in parts()]


def explore(thin: int, jobs: int, stream: TextIO) -> Iterator[tuple[Part, Tally]]:
    """Explore one in so many scenarios of all parts, by so many processes.

    :param stream: is told how far that is.
    """
    tallies = [[Tally() for _ in _chunks(part)] for part in _thinned(thin)]
    total = sum(len(part.scenarios) for part in _thinned(thin))
    with progress(total, "scenarios", stream) as bar:
        for number, chunk, tally in _results(thin, jobs):
            tallies[number][chunk] = tally
            bar.advance(tally.scenarios)
    for part, done in zip(_thinned(thin), tallies, strict=True):
        whole = Tally()
        for tally in done:
            whole.add(tally)
        yield part, whole


def _chunks(part: Part) -> range:
    return range(0, len(part.scenarios), CHUNK)


Result = tuple[int, int, Tally]
"""The number of a part, the number of a chunk in it, and what came of that."""


def _results(thin: int, jobs: int) -> Iterator[Result]:
    """Return the results of all chunks, in whatever order they come."""
    todo = [
        (thin, number, chunk)
        for number, part in enumerate(_thinned(thin))
        for chunk in range(len(_chunks(part)))
    ]
    if jobs == 1:
        yield from (_run(*what) for what in todo)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin) as pool:
        try:
            futures: list[Future[Result]] = [pool.submit(_run, *what) for what in todo]
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    set_up()
    gc.disable()  # states are many, and none has a cycle


def _run(thin: int, number: int, chunk: int) -> Result:
    part = _thinned(thin)[number]
    begin = _chunks(part)[chunk]
    tally = part.run(begin, begin + CHUNK, _trees(number))
    if not _trees(number).size:
        gc.collect()
    return number, chunk, tally


_kept = -1, Trees()


def _trees(number: int) -> Trees:
    """Return what this process knows of the actors of a part: the one that it is at."""
    global _kept
    if _kept[0] != number:
        _kept[1].close()
        gc.collect()
        _kept = number, Trees()
    return _kept[1]


def faults() -> list[list[str]]:
    """Return the table of the mistakes that were planted."""
    lines = [["planted mistake", "breaks", "violations", "found"]]
    with stage("AtomicCache"):
        for fault in FAULTS:
            count = len(fault.violations())
            lines.append([fault.name, fault.breaks, f"{count:,}", "yes" if count else "NO"])
    return lines
