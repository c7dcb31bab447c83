"""The longest ``get`` while Celery's broker is down, in a process that never saw it up."""

import socket
import time
from collections.abc import Iterator

from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import ANCESTOR, OURS, Row, duration, plain
from benchmarks.servers import free_port
from benchmarks.subjects import AlwaysStale, AncestorAlwaysStale
from benchmarks.timing import calls

READS = 20
PATIENCE = 4.0
"""Seconds after which a get counts as never ending."""


def run(environment: Environment) -> Iterator[Row]:
    longest = _longest(f"redis://127.0.0.1:{free_port()}/0")
    yield plain("broker refuses: longest get", longest, limit=0.25, show=duration)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and never answers
        longest = _longest(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
    yield plain("broker is silent: longest get", longest, limit=0.25, show=duration)


def _longest(broker: str) -> dict[str, float]:
    longest = {}
    for library in (OURS, ANCESTOR):
        worker = Worker(BENCH_BROKER_URL=broker)
        try:
            worker.call(warm, library)
            longest[library] = worker.call(longest_get, library, timeout=PATIENCE)
        except TimeoutError:
            longest[library] = float("inf")
        finally:
            worker.close()
    return longest


def warm(library: str) -> None:
    """Import and connect what a get needs beside the broker."""
    job = _job(library)
    job.set("fresh", data=1)
    job.raw_get("fresh")


def longest_get(library: str) -> float:
    """Return the seconds that the longest of several stale reads takes, each of another key."""
    job = _job(library)
    names = [f"outage-{time.monotonic_ns()}-{n}" for n in range(READS if library == OURS else 2)]
    for name in names:
        job.set(name, data={"name": name})
    return max(calls("job.get(name)", job=job, name=name)(1) for name in names)


def _job(library: str) -> AlwaysStale | AncestorAlwaysStale:
    ours, ancestor = AlwaysStale().using(cache_alias="redis"), AncestorAlwaysStale("redis")
    return ours if library == OURS else ancestor
