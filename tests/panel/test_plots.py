"""Plots without a script: coordinates, and figures as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cacheback_app.panel import plots
from cacheback_app.templatetags.cacheback_panel import duration, moment, percent


def test_bars_are_as_high_as_their_values() -> None:
    """The largest bar has the whole height, another its share, and none is drawn for nothing."""
    plot = plots.bars({"time": [4.0, 0.0, 1.0]}, width=30, height=40)
    assert plot.top == 4.0
    assert plot.paths == {"time": "M1.0 40.0v-40.0h8.0v40.0zM21.0 40.0v-10.0h8.0v10.0z"}


def test_kinds_are_on_top_of_each_other() -> None:
    """The first kind is at the bottom, and the next begins where it ends."""
    plot = plots.bars({"miss": [1], "hit": [3]}, width=10, height=40)
    assert plot.paths == {
        "miss": "M1.0 40.0v-10.0h8.0v10.0z",
        "hit": "M1.0 30.0v-30.0h8.0v30.0z",
    }


@pytest.mark.parametrize("series", [{}, {"time": []}, {"time": [0.0, 0.0]}])
def test_nothing_to_draw_is_false(series: dict[str, list[float]]) -> None:
    """A plot without bars is none."""
    assert not plots.bars(series)


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=60))
def test_any_figures_can_be_drawn(values: list[float]) -> None:
    """No figures give coordinates that SVG does not know."""
    drawn = "".join(plots.bars({"time": values}).paths.values())
    assert "nan" not in drawn
    assert "inf" not in drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (0.00004, "< 1 ms"),
        (0.0124, "12 ms"),
        (1.34, "1.3 s"),
        (59, "59 s"),
        (240, "4 min"),
        (7200, "2 h"),
        (86400 * 30, "30 d"),
        (math.inf, "for ever"),
        (math.nan, "\N{EN DASH}"),
    ],
)
def test_spans_are_short(seconds: float | None, text: str) -> None:
    """Two or three characters and a unit."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "\N{EN DASH}"), (0, "0 %"), (1, "100 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %")],
)
def test_only_all_is_a_hundred_percent(share: float | None, text: str) -> None:
    """A rate that is nearly 0 or 100 % does not look as if it were."""
    assert percent(share) == text


def test_for_ever_is_no_moment() -> None:
    """An expiry beyond the calendar is None, not an error."""
    assert moment(math.inf) is None
    assert moment(1e300) is None
    assert moment(None) is None
