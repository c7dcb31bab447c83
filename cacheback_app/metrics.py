"""Metrics for Prometheus (extra ``prometheus``): a collector that reads the statistics.

::

    from cacheback_app import metrics

    metrics.register()

Nothing is counted twice for it, and a hit costs the same with it as without.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from django.core.exceptions import ImproperlyConfigured

from . import stats
from .stats.amounts import BOUNDS
from .stats.figures import JobFigures, Timing

try:
    from prometheus_client.core import (
        REGISTRY,
        CollectorRegistry,
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ImportError as exc:
    raise ImproperlyConfigured(
        "cacheback_app.metrics needs prometheus_client: pip install cacheback-app[prometheus]"
    ) from exc

logger = logging.getLogger("cacheback")

Figures = Mapping[str, JobFigures]


def _of_the_site() -> Figures:
    # With what happened here up to now. Shared first, so that totals only grow, whoever is asked.
    stats.flush()
    return stats.totals()


SCOPES: Mapping[str, Callable[[], Figures]] = {
    "site": _of_the_site,
    "process": stats.of_this_process,
}

_READS = {"hit": "hits", "stale": "stale", "miss": "misses"}
_DISPATCHES = {"sent": "dispatched", "failed": "dispatch_failures", "dropped": "dropped"}


class CachebackCollector(Collector):
    """Gives the figures of all jobs at the time of a scrape. Labels: job, outcome, reason.

    :param scope: "site" for the sums over all processes, the same whichever of them is scraped:
        a scrape shares what its own process has, and reads the cache once. "process" for those of
        this process alone, where each has a port of its own.
    """

    def __init__(self, scope: str = "site") -> None:
        try:
            self._read = SCOPES[scope]
        except KeyError:
            raise ValueError(f"a scope is 'site' or 'process', not {scope!r}") from None

    def describe(self) -> list[Metric]:
        """Return the metrics without figures: their names, for which no cache is read."""
        return [_up(), *_families({})]

    def collect(self) -> Iterator[Metric]:
        """Return the metrics. When the cache is down there is but ``cacheback_up``, which is 0."""
        up = _up()
        try:
            figures = self._read()
        except Exception as exc:  # whatever the backend raises; a scrape tells of other things too
            logger.debug("The statistics could not be read", exc_info=exc)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _families(figures)


def register(registry: CollectorRegistry = REGISTRY, *, scope: str = "site") -> CachebackCollector:
    """Add the metrics to a registry, the default one if not told, and return their collector.

    :raises ValueError: when they are there already, or for a scope that there is not.
    """
    collector = CachebackCollector(scope)
    registry.register(collector)
    return collector


def _up() -> GaugeMetricFamily:
    return GaugeMetricFamily("cacheback_up", "Whether the statistics could be read.")


def _families(figures: Figures) -> Iterator[Metric]:
    yield _counter("reads", "Reads by what was found.", figures, _READS)
    yield _counter("dispatches", "Refreshes handed to the queue.", figures, _DISPATCHES)
    yield _skipped(figures)
    yield _failures(figures)
    yield _histogram("refresh_seconds", "How long fetches took.", figures, lambda f: f.fetch)
    yield _histogram("queue_lag_seconds", "Time in the queue.", figures, lambda f: f.lag)


def _counter(
    name: str, about: str, figures: Figures, outcomes: Mapping[str, str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"cacheback_{name}", about, labels=["job", "outcome"])
    for job, found in figures.items():
        for outcome, attribute in outcomes.items():
            family.add_metric([job, outcome], getattr(found, attribute))
    return family


def _skipped(figures: Figures) -> CounterMetricFamily:
    about = "Tasks that had nothing to do."
    family = CounterMetricFamily("cacheback_skipped", about, labels=["job", "reason"])
    for job, found in figures.items():
        for reason, number in found.skipped.items():
            family.add_metric([job, reason], number)
    return family


def _failures(figures: Figures) -> CounterMetricFamily:
    family = CounterMetricFamily("cacheback_failures", "Fetches that raised.", labels=["job"])
    for job, found in figures.items():
        family.add_metric([job], found.failures)
    return family


def _histogram(
    name: str, about: str, figures: Figures, timing_of: Callable[[JobFigures], Timing]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"cacheback_{name}", about, labels=["job"])
    for job, found in figures.items():
        timing = timing_of(found)
        family.add_metric([job], buckets=_cumulative(timing), sum_value=timing.total)
    return family


def _cumulative(timing: Timing) -> list[tuple[str, float]]:
    buckets, so_far = [], 0
    for bound, inside in zip([*map(str, BOUNDS), "+Inf"], timing.buckets, strict=True):
        so_far += inside
        buckets.append((bound, float(so_far)))
    return buckets
