"""Refreshes that were dispatched and did not come back, as far as figures by the minute tell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cacheback_app import stats

GRACE = 15.0
"""Seconds after the end of a minute by which other processes have shared what they did in it."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Refreshes that nobody has reported back on."""

    count: int = 0
    since: float | None = None
    """Unix timestamp of the minute in which the first of them was dispatched."""
    has_worked: bool = False
    """Whether any refresh came back in the time that the figures are of."""

    @property
    def is_overdue(self) -> bool:
        """Whether they should have come back by now, unless they take very long."""
        return self.since is not None and time.time() > self.since + 60 + GRACE


def of(every: Iterable[stats.JobFigures]) -> Backlog:
    """Return what was dispatched since a worker was last heard of, over all of ``every``.

    What comes back is a task that fetched, failed, or had nothing to do.
    """
    figures = [one for one in every if one.by_minute]
    last = max(map(_last_heard_of, figures), default=NEVER)
    if not any(one.dispatched for one in figures):
        return Backlog(has_worked=last > NEVER)
    sent: Counter[int] = Counter()
    for one in figures:
        for minute in range(max(last, one.window[0]), one.window[1]):
            if amounts := one.by_minute.get(minute):
                sent[minute] += int(amounts.get("dispatched", 0))
    # In the last minute that a worker was heard of, some may have come before and some after.
    sent[last] -= sum(_came_back(one.by_minute.get(last, {})) for one in figures)
    unheard = {minute: number for minute, number in sent.items() if number > 0}
    if not unheard:
        return Backlog(has_worked=last > NEVER)
    return Backlog(sum(unheard.values()), min(unheard) * 60.0, last > NEVER)


def _last_heard_of(figures: stats.JobFigures) -> int:
    """Return the last minute in which a worker did something for a job."""
    heard = (n for n in sorted(figures.by_minute, reverse=True) if _came_back(figures.by_minute[n]))
    return next(heard, NEVER)


def _came_back(amounts: Mapping[str, float]) -> int:
    return int(sum(number for name, number in amounts.items() if name.startswith(_BACK)))


NEVER = -1

# Of those that fetched, the buckets of a histogram are what counts them.
_BACK = ("failures", "skipped:", *(f"lag.{digit}" for digit in range(10)))
