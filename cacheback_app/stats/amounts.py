"""Sparse sums: the form in which statistics are collected, merged and stored.

What happened to a job is a dict of a few names and numbers. Two of them merge by adding up, or by
taking the greater for maxima, so that the order in which processes merge theirs makes no
difference. Nothing here reads a clock or does I/O.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cacheback_app.engine.tallies import MAX_NAMES, OTHER

Amounts: TypeAlias = dict[str, float]

Served: TypeAlias = tuple[float, str]
"""A value that was served stale: its age in seconds, and its key."""

Failed: TypeAlias = tuple[float, str, str, str]
"""A fetch that raised: time, key, exception, traceback."""

MAX_TRACEBACKS = 100
"""What is stored together must stay small; a hundred jobs that fail at once fail alike."""

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper ends of the histograms' buckets in seconds; above the last is one more. They reach from
a quick query to the slowest report that people wait for."""

TIMED = ("fetch", "lag")
MAXIMA = frozenset(f"{name}.max" for name in TIMED)
"""Names that merge by taking the greater."""

MARK = "cacheback-stats/1"
"""Changes with the layout of what is stored, so that old layouts are left alone."""


def add(into: Amounts, more: Mapping[str, float]) -> None:
    """Merge ``more`` into ``into``."""
    for name, amount in more.items():
        if name not in into:
            into[name] = amount
        elif name in MAXIMA:
            into[name] = max(into[name], amount)
        else:
            into[name] += amount


def duration(name: str, seconds: float) -> Amounts:
    """Return one observation of how long ``name`` took."""
    bucket = bisect_left(BOUNDS, seconds)
    return {f"{name}.total": seconds, f"{name}.max": seconds, f"{name}.{bucket}": 1}


@dataclass(slots=True)
class Batch:
    """What happened to several jobs: in a minute, or ever."""

    jobs: dict[str, Amounts] = field(default_factory=dict)
    oldest: dict[str, Served] = field(default_factory=dict)
    failures: dict[str, Failed] = field(default_factory=dict)
    """The last failure of each."""

    def __bool__(self) -> bool:
        return bool(self.jobs)

    def count(
        self,
        job: str,
        amounts: Mapping[str, float],
        oldest: Served | None = None,
        failure: Failed | None = None,
    ) -> None:
        """Add what happened to one job."""
        known = self.jobs.get(job)
        if known is None:
            job = job if len(self.jobs) < MAX_NAMES else OTHER
            known = self.jobs.setdefault(job, {})
        add(known, amounts)
        if oldest is not None:
            self.oldest[job] = max(oldest, self.oldest.get(job, oldest))
        if failure is not None:
            self.failures[job] = max(failure, self.failures.get(job, failure))

    def merge(self, more: Batch) -> None:
        """Add all of ``more``."""
        for job, amounts in more.jobs.items():
            self.count(job, amounts, more.oldest.get(job), more.failures.get(job))

    def pack(self) -> dict[str, Any]:
        """Return the batch as built-in types, to be stored."""
        failures = without_old_tracebacks(self.failures)
        return {"mark": MARK, "jobs": self.jobs, "oldest": self.oldest, "failures": failures}


def without_old_tracebacks(failures: Mapping[str, Failed]) -> dict[str, Failed]:
    """Return ``failures`` with the text of the last :data:`MAX_TRACEBACKS` only."""
    if len(failures) <= MAX_TRACEBACKS:
        return dict(failures)
    newest = set(sorted(failures, key=failures.__getitem__)[-MAX_TRACEBACKS:])
    return {
        job: failure if job in newest else (*failure[:3], "") for job, failure in failures.items()
    }


def unpack(packed: object) -> Batch:
    """Return what :meth:`Batch.pack` made of a batch; an empty one for anything else."""
    if not isinstance(packed, dict) or packed.get("mark") != MARK:
        return Batch()
    # A cache that serialises to JSON gives tuples back as lists.
    return Batch(
        packed["jobs"],
        {job: (age, key) for job, (age, key) in packed["oldest"].items()},
        {job: (at, key, exc, trace) for job, (at, key, exc, trace) in packed["failures"].items()},
    )


def merged(batches: Iterable[Batch]) -> Batch:
    """Return the sum of ``batches``, none of which is changed."""
    total = Batch()
    for batch in batches:
        total.merge(batch)
    return total
