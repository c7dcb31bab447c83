"""Plots as the outlines of SVG paths, made here so that a page needs no script for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars at equal distances, in a box of ``width`` by ``height`` with its origin at the top."""

    width: int
    height: int
    top: float
    """The value at the upper edge; 0 is at the lower one."""
    paths: Mapping[str, str]
    """The outline of all bars of a kind, as the attribute ``d`` of a ``path`` has it."""

    def __bool__(self) -> bool:
        return bool(self.paths)


def bars(series: Mapping[str, Sequence[float]], width: int = 120, height: int = 28) -> Plot:
    """Return a bar for each place of the series, with their kinds on top of each other.

    A value that is there is seen: its part of a bar is at least a fortieth of the height.
    """
    columns = list(zip(*series.values(), strict=True))
    top = max(map(sum, columns), default=0.0)
    if top <= 0:
        return Plot(width, height, 0.0, {})
    pitch, least = width / len(columns), height / 40
    drawn: dict[str, list[str]] = {kind: [] for kind in series}
    for place, column in enumerate(columns):
        level = float(height)
        for kind, value in zip(series, column, strict=True):
            if value > 0:
                size = max(least, value / top * height)
                drawn[kind].append(_bar(place * pitch + pitch * 0.1, level, pitch * 0.8, size))
                level -= size
    return Plot(width, height, top, {kind: "".join(outlines) for kind, outlines in drawn.items()})


def _bar(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}v{-height:.1f}h{width:.1f}v{height:.1f}z"
