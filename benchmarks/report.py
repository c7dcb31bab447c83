"""Rows of results, and the table that shows them."""

import operator
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version

from .timing import Samples

FLOOR, OURS, ANCESTOR, DOGPILE, CASHEWS = "floor", "ours", "ancestor", "dogpile", "cashews"
"""The names under which suites time their contenders."""


@dataclass(frozen=True)
class Row:
    """One line of the table; every field but ``met`` is text as shown."""

    operation: str
    floor: str
    ours: str
    ratio: str
    target: str
    met: str
    ancestor: str
    dogpile: str
    cashews: str


def timed(operation: str, samples: Mapping[str, Samples], limit: float | None = None) -> Row:
    """Return the row of contenders that were timed beside each other.

    The target is met when the median of the rounds' ratios is at most ``limit``.
    """
    floor, ours = samples[FLOOR], samples[OURS]
    ratio = ours.over(floor)
    others = {
        name: f"{_times(samples[name].over(floor).median)}x" if name in samples else ""
        for name in (ANCESTOR, DOGPILE, CASHEWS)
    }
    return Row(
        operation,
        duration(floor.median),
        duration(ours.median),
        f"{_times(ratio.median)}x ({_times(ratio.low)}-{_times(ratio.high)},"
        f" min {_times(ratio.least)})",
        f"<= {limit:g}x" if limit else "",
        _verdict(ratio.median <= limit) if limit else "",
        **others,
    )


def plain(
    operation: str,
    values: Mapping[str, float],
    *,
    limit: float | None = None,
    show: Callable[[float], str] = "{:g}".format,
    is_met: Callable[[float, float], bool] = operator.le,
) -> Row:
    """Return the row of values that stand for themselves: counts, or times without a floor."""
    shown = {name: show(values[name]) if name in values else "" for name in values}
    return Row(
        operation,
        shown.get(FLOOR, ""),
        shown[OURS],
        "",
        f"{'=' if is_met is operator.eq else '<='} {show(limit)}" if limit is not None else "",
        _verdict(is_met(values[OURS], limit)) if limit is not None else "",
        *(shown.get(name, "") for name in (ANCESTOR, DOGPILE, CASHEWS)),
    )


def duration(seconds: float) -> str:
    """Return a time as people read it."""
    if seconds == float("inf"):
        return "for ever"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.2 else f"{ratio:.3f}"


def _verdict(is_met: bool) -> str:
    return "yes" if is_met else "NO"


def versions() -> str:
    """Return what was measured, with what."""
    names = ("Django", "redis", "django-redis", "celery")
    others = ("django-cacheback", "dogpile.cache", "cashews")
    shown = [f"{name} {version(name)}" for name in (*names, *others)]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{today}; {', '.join([python, *shown])}; {os.cpu_count()} CPUs"


HEADINGS = [field.name for field in fields(Row)]


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [HEADINGS, *map(astuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the table for a document."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(astuple, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
