"""The soak: its short form."""

from collections.abc import Sequence

import pytest

from proof.outcome import Outcome
from proof.soak.run import _judge, run


@pytest.mark.timeout(120)
def test_short_form() -> None:
    """Memory of web process and worker, and the number of Redis keys, stay flat."""
    outcome = run(15.0)
    assert not outcome.violations


@pytest.mark.parametrize(
    ("series", "is_flat"),
    [([1, 50, 60, 60, 61, 60], True), ([1, 50, 60, 60, 65, 70], False)],
)
def test_growth_is_seen(series: Sequence[float], is_flat: bool) -> None:
    """What still grows in the last third is no flat line."""
    outcome = Outcome()
    _judge(outcome, "web process", series, "MB")
    assert (not outcome.violations) is is_flat
