"""The model checker: that it finds what is wrong, and that it finds nothing in the engine."""

import math

import pytest

from proof.model.explore import enumerate_all
from proof.model.faults import FAULTS, Fault
from proof.model.invariants import ALL
from proof.model.run import Part, parts
from proof.model.scenarios import scenario
from proof.model.stage import stage
from proof.model.windows import WINDOWS, closed


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_is_found(fault: Fault) -> None:
    """Each mistake breaks the guarantee that it is about; without it nothing is broken (J2-J8)."""
    with stage("AtomicCache"):
        sound = enumerate_all(fault.scenario)
        with fault.plant():
            broken = [invariant for invariant in ALL if invariant.name == fault.breaks]
            faulty = enumerate_all(fault.scenario, broken)
    assert not sound.violations
    assert faulty.violations


PENDING = "stale, refresh dispatched"
SHORT = list(parts(thin=24))


@pytest.mark.parametrize("part", SHORT, ids=lambda part: part.name)
def test_no_violation(part: Part) -> None:
    """J2-J6, J8: none in the scenarios that are drawn here; ``make model`` plays many more."""
    tally = part.run()
    assert tally.interleavings >= tally.scenarios > 0
    assert not tally.violations, str(tally.violations[0])


def test_windows_are_real() -> None:
    """J5: on a cache without transactions the stated window of a commit is there."""
    with stage("PlainCache"):
        assert enumerate_all(scenario("get", "set", beginning="missing")).violations


@pytest.mark.parametrize(
    "names", [("worker", "set"), ("worker", "delete"), ("get", "worker")], ids=" and ".join
)
def test_order_of_writes_without_transactions(names: tuple[str, ...]) -> None:
    """J2, J5: between the windows, the order in which a cache is written leaves no other: a change
    takes the lease before it writes, and who claims looks at the entry after that."""
    with stage("PlainCache"), closed(*WINDOWS):
        assert not enumerate_all(scenario(*names, beginning=PENDING)).violations


def test_interleavings_are_counted_exactly() -> None:
    """Merging equal states changes neither the count of interleavings nor what is found: two
    actors of m and n steps that never meet have (m + n)! / m! n! of them."""
    with stage("AtomicCache"):
        alone = enumerate_all(scenario("set", beginning="missing"))
        both = enumerate_all(scenario("set", "set", beginning="missing"))
    assert alone.interleavings == 1
    steps = 3  # begin, the upstream's change, the transaction
    assert both.interleavings == math.comb(2 * steps, steps)
    assert both.runs < both.interleavings
