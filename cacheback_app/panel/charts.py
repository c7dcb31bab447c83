"""The plots of one job's page."""

from __future__ import annotations

from dataclasses import dataclass

from cacheback_app.templatetags.cacheback_panel import duration

from . import plots
from .figures import Row

_WIDTH, _HEIGHT = 600, 100


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with its title and scale."""

    title: str
    plot: plots.Plot
    most: str
    """The value at the upper edge."""
    legend: tuple[str, ...] = ()


def of(row: Row) -> list[Chart]:
    """Return the plots of a job: reads, refresh time and queue lag, a point a minute."""
    series = row.figures.series()
    reads = {
        "misses": [minute.misses for minute in series],
        "stale": [minute.stale for minute in series],
        "hits": [minute.hits for minute in series],
    }
    times = {"time": [minute.fetch_mean or 0.0 for minute in series]}
    lags = {"time": [minute.lag_max for minute in series]}
    bars = plots.bars(reads, _WIDTH, _HEIGHT)
    return [
        Chart("Reads a minute", bars, f"{bars.top:,.0f}", ("hits", "stale", "misses")),
        _timed("Mean refresh time", times),
        _timed("Longest queue lag", lags),
    ]


def _timed(title: str, series: dict[str, list[float]]) -> Chart:
    plot = plots.bars(series, _WIDTH, _HEIGHT)
    return Chart(title, plot, duration(plot.top))
