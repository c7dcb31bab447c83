"""The rows of the overview: figures of all processes, of jobs imported here or seen elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.urls import reverse

from cacheback_app import jobs, stats

from . import backlog, calls, plots

if TYPE_CHECKING:
    from .pages import Filter

PER_PAGE = 50

MINUTES = (15, 60)
"""The times that the panel can tell of; the first is the default, as it costs a quarter."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the overview can be sorted by."""

    name: str
    label: str
    value: Callable[[Row], Any]
    is_number: bool = True

    @property
    def first_sort(self) -> str:
        """What a first click on its heading asks for: names from A, figures from the largest."""
        return f"-{self.name}" if self.is_number else self.name


@dataclass(frozen=True, slots=True)
class Row:
    """One job."""

    path: str
    figures: stats.JobFigures
    is_known: bool
    """Whether this process has imported it."""
    is_seen: bool
    """Whether this or another process imported or used it."""

    @property
    def name(self) -> str:
        """The last part of the path; that of a method has its class."""
        return self.path[len(self.module) + 1 :] if self.module else self.path

    @property
    def module(self) -> str:
        """What comes before the name: packages and modules are in lower case, most classes not."""
        parts = self.path.split(".")
        for place, part in enumerate(parts):
            if part[:1].isupper():
                return ".".join(parts[:place])
        return ".".join(parts[:-1])

    @property
    def url(self) -> str:
        """The job's page."""
        return reverse("cacheback:job", args=[self.path])

    @property
    def hit_rate(self) -> float | None:
        """The share of reads that were hits; None when there were none."""
        return self.figures.rate(self.figures.hits)

    @property
    def stale_rate(self) -> float | None:
        """The share of reads that were stale."""
        return self.figures.rate(self.figures.stale)

    @property
    def miss_rate(self) -> float | None:
        """The share of reads that were misses."""
        return self.figures.rate(self.figures.misses)

    @property
    def oldest(self) -> float | None:
        """The age in seconds of the oldest value that was served stale."""
        return self.figures.oldest.age if self.figures.oldest else None

    @property
    def p95(self) -> float | None:
        """The seconds in which 95 % of fetches were done."""
        return self.figures.fetch.percentile(95)

    @property
    def plot(self) -> plots.Plot:
        """The time of fetches, over time."""
        return plots.bars({"time": [minute.fetch_mean or 0.0 for minute in self.figures.series()]})

    @property
    def skipped(self) -> int:
        """Refreshes that a worker had no need to do."""
        return sum(self.figures.skipped.values())

    @property
    def lost(self) -> int:
        """Refreshes that the queue never got: it was not reached, or was full."""
        return self.figures.dispatch_failures + self.figures.dropped

    @property
    def troubles(self) -> list[str]:
        """What somebody should look at, in words."""
        found = []
        if self.figures.failures:
            found.append(f"{self.figures.failures:,} failed")
        if self.figures.dispatch_failures:
            found.append(f"{self.figures.dispatch_failures:,} not sent: queue out of reach")
        if self.figures.dropped:
            found.append(f"{self.figures.dropped:,} dropped: queue full")
        waiting = backlog.of([self.figures])
        if waiting.is_overdue:
            plural = "" if waiting.count == 1 else "es"
            found.append(f"{waiting.count:,} refresh{plural} waiting, none finished")
        return found


COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("name", "Job", lambda row: row.path.lower(), is_number=False),
        Column("reads", "Reads", lambda row: row.figures.reads),
        Column("hits", "Hits", lambda row: row.hit_rate),
        Column("stale", "Stale", lambda row: row.stale_rate),
        Column("misses", "Misses", lambda row: row.miss_rate),
        Column("refreshes", "Refreshes", lambda row: row.figures.refreshes),
        Column("failures", "Failures", lambda row: row.figures.failures),
        Column("oldest", "Oldest", lambda row: row.oldest),
        Column("lag", "Queue lag", lambda row: row.figures.lag.mean),
        Column("time", "Refresh time", lambda row: row.figures.fetch.mean),
    )
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the statistics told at one moment."""

    figures: Mapping[str, stats.JobFigures]
    at: float
    minutes: int

    @classmethod
    def now(cls, minutes: int) -> Reading:
        """Read the statistics: one call of the cache."""
        return cls(stats.read(minutes), time.time(), minutes)

    def rows(self) -> list[Row]:
        """Return all jobs, by name."""
        known = calls.known_jobs()
        nothing = stats.JobFigures()
        # The package's own classes are jobs of a site once it uses them.
        listed = {path for path, job in known.items() if job.target.__module__ != jobs.__name__}
        return [
            Row(path, self.figures.get(path, nothing), path in known, True)
            for path in sorted(listed | self.figures.keys())
        ]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page lists."""

    reading: Reading
    total: Row
    known: int
    """How many jobs there are."""
    page: Page[Row]

    @property
    def rows(self) -> list[Row]:
        """The jobs of this page."""
        return list(self.page.object_list)

    @property
    def count(self) -> int:
        """How many jobs are as the filter wants them."""
        return self.page.paginator.count


def overview(wanted: Filter) -> Overview:
    """Return the page of jobs that ``wanted`` asks for."""
    reading = Reading.now(wanted.minutes)
    rows = reading.rows()
    matching = _sorted([row for row in rows if _matches(row, wanted)], wanted)
    page = Paginator(matching, PER_PAGE).get_page(wanted.page)
    total = Row("", _total(reading.figures.values()), True, True)
    return Overview(reading, total, len(rows), page)


def one(path: str, minutes: int) -> tuple[Reading, Row]:
    """Return the statistics, and the row of one job in them."""
    reading = Reading.now(minutes)
    figures = reading.figures.get(path)
    is_known = path in calls.known_jobs()
    row = Row(path, figures or stats.JobFigures(), is_known, is_known or figures is not None)
    return reading, row


def _matches(row: Row, wanted: Filter) -> bool:
    if wanted.q.lower() not in row.path.lower():
        return False
    if wanted.show == "used":
        return bool(row.figures.reads or row.figures.refreshes or row.figures.failures)
    return wanted.show != "trouble" or bool(row.troubles)


def _sorted(rows: list[Row], wanted: Filter) -> list[Row]:
    """Return ``rows`` in order; those that have no such figure come last either way."""
    value = wanted.column.value
    having = [row for row in rows if value(row) is not None]
    lacking = [row for row in rows if value(row) is None]
    return sorted(having, key=value, reverse=wanted.is_descending) + lacking


def _total(every: Iterable[stats.JobFigures]) -> stats.JobFigures:
    names = ("hits", "stale", "misses", "refreshes", "failures")
    figures = list(every)
    return stats.JobFigures(**{name: sum(getattr(one, name) for one in figures) for name in names})
