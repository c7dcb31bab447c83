"""``list``, ``stats`` and ``explain``: they change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TextIO

from cacheback_app import console, stats
from cacheback_app.catalogue import KnownCall, KnownJob
from cacheback_app.engine import outages
from cacheback_app.stats import JobFigures

from . import output


def show_jobs(jobs: Mapping[str, KnownJob], stream: TextIO, *, as_json: bool) -> None:
    """Write the jobs and what they are."""
    found = [_described(job) for job in jobs.values()]
    if as_json:
        output.write_json(found, stream)
        return
    columns = ["job", "kind", "lifetime", "cache", "about"]
    console.table("Jobs", columns, [[line[name] for name in columns] for line in found], stream)


def _described(job: KnownJob) -> dict[str, Any]:
    options = job.target if isinstance(job.target, type) else job.target.job
    return {
        "job": job.name,
        "kind": job.kind,
        "lifetime": str(options.lifetime),
        "cache": options.cache_alias or "",
        "about": job.doc,
    }


def show_figures(
    names: list[str], minutes: int, stream: TextIO, *, as_json: bool, with_traceback: bool
) -> None:
    """Write what all processes did with some jobs, or with all."""
    with outages.told():
        figures = stats.read(minutes)
    wanted = {name: figures.get(name, JobFigures()) for name in names or figures}
    if as_json:
        output.write_json({name: _as_dict(found) for name, found in wanted.items()}, stream)
        return
    columns = ["job", "reads", "hit", "stale", "miss", "refreshed", "failed"]
    columns += ["p50", "p95", "max", "lag", "oldest"]
    rows = [[name, *_row(found)] for name, found in wanted.items()]
    console.table(f"The last {minutes} minutes", columns, rows, stream)
    for name, found in wanted.items():
        if with_traceback and (failure := found.last_failure):
            stream.write(f"\n{name}, {output.moment(failure.at)}, key {failure.key}\n")
            stream.write(f"{failure.traceback or failure.exception}\n")


def _row(found: JobFigures) -> list[Any]:
    rates = [output.percent(found.rate(n)) for n in (found.hits, found.stale, found.misses)]
    fetch = [found.fetch.percentile(50), found.fetch.percentile(95), found.fetch.max or None]
    times = [output.span(seconds) for seconds in (*fetch, found.lag.mean)]
    oldest = output.span(found.oldest.age) if found.oldest else ""
    return [found.reads, *rates, found.refreshes, found.failures, *times, oldest]


def _as_dict(found: JobFigures) -> dict[str, Any]:
    content = asdict(found)
    del content["by_minute"], content["window"]
    content["minutes"] = [asdict(minute) for minute in found.series() if found.window[1]]
    content["skipped"] = dict(found.skipped)
    for name, timing in (("fetch", found.fetch), ("lag", found.lag)):
        del content[name]["buckets"]
        content[name] |= {"p50": timing.percentile(50), "p95": timing.percentile(95)}
    return content


def show_explanation(call: KnownCall, stream: TextIO, *, as_json: bool) -> None:
    """Write all that is known of one call."""
    with outages.told():
        explanation, cached = call.explain(), call.peek()
    status = output.STATUSES[explanation.status]
    shown = None if cached is None else output.value(cached[1])
    if as_json:
        content = {"job": call.name, **asdict(explanation), "status": status, "value": shown}
        output.write_json(content, stream)
        return
    lines = {
        "job": call.name,
        "key": explanation.key,
        "status": status,
        "age": output.span(explanation.age),
        "fetched": output.moment(explanation.fetched_at),
        "fetch took": output.span(explanation.duration),
        "fresh until": output.moment_and_distance(explanation.expiry),
        "claimed until": output.moment_and_distance(explanation.claimed_until),
        "last error": explanation.last_error,
        "tags": ", ".join(explanation.tags),
        "value": shown,
    }
    rows = [[name, text] for name, text in lines.items() if text]
    console.table("", ["what", "is"], rows, stream)
