"""The line above every page: what is configured, and whether it seems to work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.exceptions import ImproperlyConfigured
from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime

from cacheback_app.conf import conf
from cacheback_app.durations import Duration
from cacheback_app.engine import bulk
from cacheback_app.queues import get_queue

from . import backlog
from .figures import Reading


@dataclass(frozen=True, slots=True)
class Workers:
    """What is known of those who refresh."""

    text: str
    tone: str = ""
    """A CSS class: "well", "ill" or none."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the site's caching."""

    alias: str
    is_cache_down: bool
    queue: str
    workers: Workers
    now: float
    interval: Duration | None
    """How often processes share their figures; None when they don't."""
    minutes: int
    """The time that the figures are of."""


def of(reading: Reading) -> Status:
    """Return the status that the statistics of now tell of: one read of the cache."""
    is_down = bulk.read(conf.cache_alias, ["cacheback:panel"]) is None
    try:
        queue = get_queue().name
        workers = _workers(backlog.of(reading.figures.values()))
    except ImproperlyConfigured as exc:
        queue, workers = "?", Workers(str(exc), "ill")
    interval = conf.stats_interval if conf.stats else None
    return Status(conf.cache_alias, is_down, queue, workers, reading.at, interval, reading.minutes)


def _workers(open_: backlog.Backlog) -> Workers:
    if open_.since is None:
        return Workers("at work", "well") if open_.has_worked else Workers("nothing to do yet")
    number = f"{open_.count:,} refresh{'' if open_.count == 1 else 'es'}"
    if not open_.is_overdue:
        return Workers(f"{number} under way")
    since = date_format(localtime(datetime.fromtimestamp(open_.since, UTC)), "H:i T")
    text = f"{number} dispatched since {since}, none finished: is a worker running?"
    return Workers(text, "ill")
