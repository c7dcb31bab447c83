"""What is known of a job's reads and refreshes, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from .amounts import BOUNDS, Amounts


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, in seconds."""

    count: int = 0
    total: float = 0.0
    max: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """How many took up to each of ``amounts.BOUNDS``, and longer than the one before."""

    @classmethod
    def of(cls, amounts: Mapping[str, float], name: str) -> Self:
        """Return the timing ``name`` among ``amounts``."""
        if f"{name}.total" not in amounts:
            return cls()
        buckets = tuple(int(amounts.get(f"{name}.{n}", 0)) for n in range(len(BOUNDS) + 1))
        total, longest = amounts[f"{name}.total"], amounts.get(f"{name}.max", 0.0)
        return cls(sum(buckets), total, longest, buckets)

    @property
    def mean(self) -> float | None:
        """The mean, None when there were none."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """Return below which time ``percent`` of all were, as exactly as the buckets tell.

        Within a bucket times are taken to be spread evenly, as Prometheus does.
        """
        if not self.count:
            return None
        rank, below = self.count * percent / 100, 0
        for n, inside in enumerate(self.buckets):
            if inside and below + inside >= rank:
                low = BOUNDS[n - 1] if n else 0.0
                high = min(BOUNDS[n], self.max) if n < len(BOUNDS) else self.max
                return min(self.max, low + max(0.0, high - low) * (rank - below) / inside)
            below += inside
        return self.max


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest value that was served stale."""

    age: float
    """Seconds since its fetch began, when it was served."""
    key: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A fetch that raised."""

    at: float
    """Unix timestamp."""
    key: str
    exception: str
    """The dotted name of its type."""
    traceback: str
    """Formatted, the last few KB of it, without the values of variables. The exception's own
    message may hold arguments: this is for staff, not for logs."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in one minute."""

    start: float
    """Unix timestamp."""
    hits: int = 0
    stale: int = 0
    misses: int = 0
    refreshes: int = 0
    failures: int = 0
    fetch_seconds: float = 0.0
    """All fetches together."""
    fetch_max: float = 0.0
    lag_max: float = 0.0

    @property
    def fetch_mean(self) -> float | None:
        """Seconds that a fetch took on average, None when there was none."""
        count = self.refreshes + self.failures
        return self.fetch_seconds / count if count else None


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What all processes did with one job in a time. Times are in seconds."""

    hits: int = 0
    stale: int = 0
    """Reads of a stale value, whether it was served or refetched for the caller."""
    misses: int = 0
    dispatched: int = 0
    """Refreshes that were handed to the queue."""
    dispatch_failures: int = 0
    """Refreshes that the queue could not be reached for."""
    dropped: int = 0
    """Refreshes for which a process's own backlog was full."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Tasks that had nothing to do, by reason."""
    refreshes: int = 0
    """Fetches that returned, in workers and in callers."""
    failures: int = 0
    """Fetches that raised."""
    fetch: Timing = Timing()
    """Of all fetches, failed ones too."""
    lag: Timing = Timing()
    """From the dispatch of a refresh to its begin in a worker."""
    oldest: Oldest | None = None
    last_failure: Failure | None = None
    """The last there was, whenever that was."""
    by_minute: Mapping[int, Amounts] = field(default_factory=dict, repr=False)
    """See :meth:`series`."""
    window: tuple[int, int] = (0, 0)
    """The first minute that was asked for and the one after the last, since the epoch."""

    @classmethod
    def of(
        cls,
        amounts: Mapping[str, float],
        *,
        oldest: tuple[float, str] | None = None,
        failure: tuple[float, str, str, str] | None = None,
        by_minute: Mapping[int, Amounts] | None = None,
        window: tuple[int, int] = (0, 0),
    ) -> Self:
        """Return what the sums ``amounts`` tell."""
        counts = {name: int(amounts.get(name, 0)) for name in COUNTS}
        return cls(
            **counts,
            skipped={
                name.removeprefix("skipped:"): int(number)
                for name, number in amounts.items()
                if name.startswith("skipped:")
            },
            fetch=Timing.of(amounts, "fetch"),
            lag=Timing.of(amounts, "lag"),
            oldest=Oldest(*oldest) if oldest else None,
            last_failure=Failure(*failure) if failure else None,
            by_minute=by_minute or {},
            window=window,
        )

    @property
    def reads(self) -> int:
        """All reads."""
        return self.hits + self.stale + self.misses

    def rate(self, number: int) -> float | None:
        """Return ``number`` as a fraction of all reads, None when there were none."""
        return number / self.reads if self.reads else None

    def series(self) -> tuple[Minute, ...]:
        """Return every minute that was asked for, the oldest first."""
        return tuple(_minute(n, self.by_minute.get(n, {})) for n in range(*self.window))


READS = ("hits", "stale", "misses")
COUNTS = (*READS, "dispatched", "dispatch_failures", "dropped", "refreshes", "failures")
"""The names of plain counts among amounts, and in :class:`JobFigures`."""


def _minute(number: int, amounts: Mapping[str, float]) -> Minute:
    if not amounts:
        return Minute(number * 60.0)
    counts = (int(amounts.get(n, 0)) for n in (*READS, "refreshes", "failures"))
    times = (amounts.get(name, 0.0) for name in ("fetch.total", "fetch.max", "lag.max"))
    return Minute(number * 60.0, *counts, *times)
