"""Rows of results, and the table that shows them."""

import operator
import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from . import sodar_core
from .timing import Samples

FLOOR, OURS = "floor", "ours"
"""The names under which suites time what all the others are compared with."""

ANCESTOR, DOGPILE, CASHEWS = "django-cacheback", "dogpile.cache", "cashews"
SWR, DISKCACHE, CACHETOOLS = "django-swr-memoize", "diskcache", "cachetools"
CACHEOPS, CACHALOT, KVCACHE = "django-cacheops", "django-cachalot", "score.kvcache"
TOGGL, SODAR = "toggl-api-wrapper", "django-sodar-core"
PEERS = (
    *(ANCESTOR, DOGPILE, CASHEWS, SWR, DISKCACHE, CACHETOOLS),
    *(CACHEOPS, CACHALOT, KVCACHE, TOGGL, SODAR),
)
"""The others, by the names of their distributions."""

NEAR = 1.05
"""A contender within this ratio of the first shares its place: less is noise."""


@dataclass(frozen=True)
class Row:
    """One line of a table: text as shown, and the numbers of ours and the peers for a plot."""

    operation: str
    floor: str
    ours: str
    ratio: str
    target: str
    met: str
    place: str
    peers: Mapping[str, str]
    numbers: Mapping[str, float]


def timed(
    operation: str,
    samples: Mapping[str, Samples],
    limit: float | None = None,
    *,
    rivals: Collection[str] = (),
    absent: Collection[str] = (),
) -> Row:
    """Return the row of contenders that were timed beside each other.

    The target is met when the median of the rounds' ratios is at most ``limit``.

    :param rivals: the peers that promise what we do there, among which our place is told.
    :param absent: the peers that could be in the row, and are not installed; it says so.
    """
    floor, ours = samples[FLOOR], samples[OURS]
    ratio = ours.over(floor)
    peers = {name: samples[name].over(floor).median for name in PEERS if name in samples}
    return Row(
        operation,
        duration(floor.median),
        duration(ours.median),
        f"{_times(ratio.median)}x ({_times(ratio.low)}-{_times(ratio.high)},"
        f" min {_times(ratio.least)})",
        f"<= {limit:g}x" if limit else "",
        _verdict(ratio.median <= limit) if limit else "",
        _place(ratio.median, {name: peers[name] for name in rivals if name in peers}),
        {
            **dict.fromkeys(absent, "absent"),
            **{name: f"{_times(value)}x" for name, value in peers.items()},
        },
        {OURS: ratio.median, **peers},
    )


def plain(
    operation: str,
    values: Mapping[str, float],
    *,
    limit: float | None = None,
    show: Callable[[float], str] = "{:g}".format,
    is_met: Callable[[float, float], bool] = operator.le,
    rivals: Collection[str] = (),
    absent: Collection[str] = (),
) -> Row:
    """Return the row of values that stand for themselves: counts, or times without a floor."""
    shown = {name: show(values[name]) for name in values}
    return Row(
        operation,
        shown.get(FLOOR, ""),
        shown[OURS],
        "",
        f"{'=' if is_met is operator.eq else '<='} {show(limit)}" if limit is not None else "",
        _verdict(is_met(values[OURS], limit)) if limit is not None else "",
        _place(values[OURS], {name: values[name] for name in rivals if name in values}),
        {
            **dict.fromkeys(absent, "absent"),
            **{name: shown[name] for name in PEERS if name in shown},
        },
        {name: values[name] for name in (OURS, *PEERS) if name in values},
    )


def _place(ours: float, rivals: Mapping[str, float]) -> str:
    if not rivals:
        return ""
    ahead = [value for value in rivals.values() if value * NEAR < ours]
    return f"{len(ahead) + 1} of {len(rivals) + 1}"


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
    """Return what was measured, with what; and what could not be, as it is not installed."""
    names = ("Django", "redis", "django-redis", "celery", *PEERS)
    found = {name: _version(name) for name in names}
    shown = [f"{name} {number}" for name, number in found.items() if number]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    text = f"{today}; {', '.join([python, *shown])}; {os.cpu_count()} CPUs"
    absent = [name for name, number in found.items() if not number]
    return f"{text}; not installed: {', '.join(absent)}" if absent else text


def is_installed(peer: str) -> bool:
    """Return whether the distribution ``peer`` is there to be measured."""
    return _version(peer) is not None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return sodar_core.version() if name == SODAR else None


_OWN = [field.name for field in fields(Row)][:-2]


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return the lines of a table; columns that no row fills are left away."""
    peers = [name for name in PEERS if any(name in row.peers for row in rows)]
    lines = [[*astuple(row)[: len(_OWN)], *(row.peers.get(p, "") for p in peers)] for row in rows]
    heads = [*_OWN, *peers]
    filled = [n for n in range(len(heads)) if any(line[n] for line in lines)]
    return [[line[n] for n in filled] for line in (heads, *lines)]


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = _cells(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table for a document."""
    head, *lines = _cells(rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
