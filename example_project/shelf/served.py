"""How a value came to a page: fresh, stale or just fetched, how old, how long its fetch took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from typing import Any

from cacheback_app import Explanation, Job


@dataclass(frozen=True, slots=True)
class Source:
    """One cached read with its arguments: what a page shows, and what the buttons act on.

    `read` gives the value; `cached` explains, invalidates and deletes it. They are a job's `get`
    and the job, or a decorated function twice.
    """

    title: str
    read: Callable[..., Any]
    cached: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def serve(self) -> Served:
        """Read the value and tell how it came.

        `explain` triggers nothing, so asking it before reading tells what the reader will find. A
        site that is not about the cache would only read.
        """
        before = self.explain()
        try:
            value = self.read(*self.args, **self.kwargs)
        except PackageNotFoundError:
            return Served("failed", None, before, error="It is no longer installed here.")
        if before.status == Job.HIT:
            return Served("fresh", value, before)
        if before.status == Job.STALE:
            return Served("stale", value, before)
        return Served("fetched", value, self.explain())

    def explain(self) -> Explanation:
        """Return what the library knows about the cached value."""
        explained: Explanation = self.cached.explain(*self.args, **self.kwargs)
        return explained

    def invalidate(self) -> None:
        """Mark the value stale; the next visitor still gets it at once."""
        self.cached.invalidate(*self.args, **self.kwargs)

    def forget(self) -> None:
        """Remove the value; the next visitor waits for a new one."""
        self.cached.delete(*self.args, **self.kwargs)


@dataclass(frozen=True, slots=True)
class Served:
    """A value and what its page tells about it."""

    state: str  # "fresh", "stale", "fetched" or "failed"
    value: Any
    explained: Explanation
    error: str = ""

    @property
    def age(self) -> float | None:
        """Seconds since the value was fetched."""
        return self.explained.age

    @property
    def duration(self) -> float | None:
        """Seconds that its fetch took."""
        return self.explained.duration

    @property
    def fetched_at(self) -> datetime | None:
        """When its fetch began."""
        return _moment(self.explained.fetched_at)

    @property
    def stale_at(self) -> datetime | None:
        """When it goes stale, or did."""
        return _moment(self.explained.expiry)

    @property
    def fresh_for(self) -> float:
        """Seconds until it goes stale; 0 when it has."""
        known = self.explained
        if known.age is None or known.expiry is None or known.fetched_at is None:
            return 0.0
        return max(0.0, known.expiry - known.fetched_at - known.age)

    @property
    def freshness(self) -> int:
        """How much of its lifetime is left, in per cent."""
        lifetime = self.fresh_for + (self.age or 0.0)
        return round(100 * self.fresh_for / lifetime) if lifetime else 0


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
