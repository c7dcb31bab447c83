"""The figures of the whole site, and those of this process."""

from __future__ import annotations

from collections.abc import Mapping

from cacheback_app.conf import conf
from cacheback_app.engine import outages

from .amounts import Amounts, Batch, merged
from .collecting import KEPT, collector, this_minute
from .figures import JobFigures
from .sharing import shared, sharing


def read(minutes: int = KEPT) -> dict[str, JobFigures]:
    """Return what all processes did in the last ``minutes``, the running one included, by job.

    One read of the cache, whatever the number of jobs and keys. What other processes did in the
    last ``CACHEBACK_STATS_INTERVAL`` seconds may be missing; when the cache is down, all that
    they did is. Jobs that nothing happened to are not in it.

    :param minutes: 1 to 60.
    :raises ValueError: for other numbers.
    """
    if not 1 <= minutes <= KEPT:
        raise ValueError(f"figures are kept for {KEPT} minutes, not {minutes}")
    end = this_minute() + 1
    window = range(end - minutes, end)
    totals, by_minute = _whole(window)
    recent = merged(by_minute[minute] for minute in sorted(by_minute))
    series = _by_job(by_minute)
    return {
        job: JobFigures.of(
            recent.jobs.get(job, {}),
            oldest=recent.oldest.get(job),
            failure=totals.failures.get(job),
            by_minute=series.get(job),
            window=(window.start, window.stop),
        )
        for job in sorted(recent.jobs.keys() | totals.failures.keys())
    }


def totals() -> dict[str, JobFigures]:
    """Return what all processes did since the statistics began, as far as they have shared it.

    These only grow, whichever process is asked, until the cache loses them.

    :raises Exception: what the cache backend raises when it is down.
    """
    batch, _ = shared(range(0))
    return _figures(batch)


def of_this_process() -> dict[str, JobFigures]:
    """Return what this process did since it began. No I/O."""
    return _figures(collector.ever())


def _figures(batch: Batch) -> dict[str, JobFigures]:
    return {
        job: JobFigures.of(amounts, oldest=batch.oldest.get(job), failure=batch.failures.get(job))
        for job, amounts in sorted(batch.jobs.items())
    }


def _whole(window: range) -> tuple[Batch, dict[int, Batch]]:
    """Return totals and minutes: what is shared, and what this process is yet to share."""
    with sharing:
        try:
            ever, found = shared(window)
        except Exception as exc:  # as for reads of values: a cache that is down has nothing
            outages.report(conf.cache_alias, exc)
            ever, found = Batch(), {}
        pending = collector.pending()
    by_minute = dict(found)
    for minute, batch in pending.items():
        ever.merge(batch)
        if minute in window:
            by_minute[minute] = merged([by_minute.get(minute, Batch()), batch])
    return ever, by_minute


def _by_job(by_minute: Mapping[int, Batch]) -> dict[str, dict[int, Amounts]]:
    series: dict[str, dict[int, Amounts]] = {}
    for minute, batch in by_minute.items():
        for job, amounts in batch.jobs.items():
            series.setdefault(job, {})[minute] = amounts
    return series
