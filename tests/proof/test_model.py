"""The model checker: that it finds what is wrong, and that it finds nothing in the engine."""

import io
import math
from itertools import count
from typing import Any

import pytest

from proof.model import trees
from proof.model.actors import Role
from proof.model.explore import enumerate_all
from proof.model.faults import FAULTS, Fault
from proof.model.invariants import ALL
from proof.model.jobs import X
from proof.model.play import Play, Trees
from proof.model.run import Part, explore, parts
from proof.model.scenarios import PENDING, Scenario, every, scenario
from proof.model.stage import stage
from proof.model.windows import WINDOWS, closed, is_commit, is_invalidation, is_release, is_takeover
from proof.model.world import World


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_is_found(fault: Fault) -> None:
    """Each mistake breaks the guarantee that it is about; without it nothing is broken (J2-J6, J8,
    J13)."""
    with stage("AtomicCache"):
        assert not enumerate_all(fault.scenario).violations
        assert fault.violations()


PAIRS = Part("two actors", every(2), len(every(2)))
THIN = (100, 300, 60, 120, 100, None, 10, 100, 24)
"""How much less than ``make model`` is explored of each part. One is long, and a fault shows it."""
SHORT = [
    PAIRS.thinned(3),
    *(part.thinned(thin) for part, thin in zip(parts(), THIN, strict=True) if thin),
]


@pytest.mark.parametrize("part", SHORT, ids=lambda part: part.name)
def test_no_violation(part: Part) -> None:
    """J2-J6, J8, J13: none in what is explored here; ``make model`` explores many times more."""
    tally = part.run()
    assert tally.interleavings >= tally.scenarios > 0
    assert not tally.violations, str(tally.violations[0])


@pytest.mark.parametrize(
    ("window", "names", "beginning"),
    [
        (is_commit, ("get", "set"), "missing"),
        (is_takeover, ("worker", "second delivery"), PENDING),
        (is_release, ("get that fails", "refresh"), "missing"),
        (is_invalidation, ("set", "invalidate"), "fresh"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_windows_are_real(window: Any, names: tuple[str, ...], beginning: str) -> None:
    """J3, J5, J8: on a cache without transactions each of the stated windows is there, even when
    all others are closed."""
    others = [other for other in WINDOWS if other is not window]
    with stage("PlainCache"), closed(*others):
        assert enumerate_all(scenario(*names, beginning=beginning)).violations


def test_interleavings_are_counted_exactly() -> None:
    """Two actors of n steps who never meet have (2n)! / n! n! interleavings."""
    with stage("AtomicCache"):
        alone = enumerate_all(scenario("set", beginning="missing"))
        both = enumerate_all(scenario("set", "set", beginning="missing"))
    assert alone.interleavings == 1
    steps = 3  # begin, the upstream's change, the transaction
    assert both.interleavings == math.comb(2 * steps, steps)
    assert both.steps < both.interleavings * 2 * steps


def _one_by_one(world: World) -> int:
    choices = world.choices()
    if not choices:
        return 1
    found = 0
    for choice in choices:
        after = world.copy()
        after.take(choice)
        found += _one_by_one(after)
    return found


@pytest.mark.parametrize(
    "known",
    [
        scenario("get", "invalidate", beginning="missing"),
        scenario("get that dies", "get", beginning="missing"),
        scenario("worker", "set", beginning=PENDING, lapses=1),
        scenario("aget, cancelled", "get", beginning="stale", hosts=(0, 0)),
    ],
    ids=str,
)
def test_merging_changes_no_count(known: Scenario) -> None:
    """To count a state's interleavings once for all orders that lead to it is to count each."""
    with stage("AtomicCache"):
        first = Play(known, ALL, Trees()).begin()
        assert enumerate_all(known).interleavings == _one_by_one(first)


def test_what_is_known_of_an_actor_is_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """To walk through what an actor did before is to let it do that again: an actor that plays from
    the beginning for every branch asks for the same each time, and the same comes of it."""
    known = scenario("get", "aget", beginning="missing", hosts=(0, 0))
    with stage("AtomicCache"):
        learned = enumerate_all(known)
        monkeypatch.setattr(trees, "MOST_LIVE", 0)
        assert enumerate_all(known) == learned


def test_an_actor_that_cannot_be_repeated_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that looks at what it does not ask the world for is no part of a proof."""
    monkeypatch.setattr(trees, "MOST_LIVE", 0)
    times = count()
    role = Role("get", lambda player: player.job.using(lifetime=100 + next(times)).get(X))
    with stage("AtomicCache"), pytest.raises(trees.Unrepeatable):
        enumerate_all(Scenario((role, role), "missing", (0, 1), 1))


def test_processes_change_nothing() -> None:
    """What several processes explore comes to what one does; and how far they are can be seen."""
    told = io.StringIO()
    alone, together = (
        [part.line(tally) for part, tally in explore(5000, jobs, told)] for jobs in (1, 2)
    )
    assert alone == together
    total = sum(len(part.thinned(5000).scenarios) for part in parts())
    assert told.getvalue().count(f"scenarios: {total} of {total}\n") == 2
