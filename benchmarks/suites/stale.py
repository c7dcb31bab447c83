"""A stale read on Redis whose refresh goes to Celery on Redis, as the request sees it."""

import time
from collections.abc import Callable, Iterator

from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import ANCESTOR, FLOOR, OURS, Row, duration, plain, timed
from benchmarks.subjects import VALUE, AlwaysStale, AncestorAlwaysStale, Tweets
from benchmarks.timing import Block, Samples, calls, interleaved
from cacheback_app.queues.handoff import handoff

PAUSED = 300
BURST, BURSTS = 50, 15
BACKENDS = {"redis": ("Django's RedisCache", 2.5), "own": ("cacheback_app's RedisCache", None)}
"""Alias to name and limit; the hit of our own backend costs little more than a round trip."""


def run(environment: Environment) -> Iterator[Row]:
    for alias, (backend, limit) in BACKENDS.items():
        yield timed(f"stale, {backend}, one at a time / hit", _one_at_a_time(alias), limit)
        yield timed(f"stale, {backend}, {BURST} back to back / hit", _bursts(alias), limit)
    firsts = {
        OURS: _in_new_process(first_stale_read, "ours"),
        ANCESTOR: _in_new_process(first_stale_read, "ancestor"),
    }
    yield plain("stale, the first of a process", firsts, show=duration)


def _one_at_a_time(alias: str) -> dict[str, Samples]:
    """Let the background publisher come to rest before each read."""
    blocks = _blocks(alias, PAUSED + 1)

    def rest() -> None:
        handoff.flush()
        time.sleep(0.002)

    return interleaved(blocks, number=1, rounds=PAUSED, between=rest)


def _bursts(alias: str) -> dict[str, Samples]:
    """Read as fast as can be, while the publisher wants the same processor."""
    blocks = _blocks(alias, BURST * (BURSTS + 1))
    return interleaved(blocks, number=BURST, rounds=BURSTS, between=handoff.flush)


def _blocks(alias: str, number: int) -> dict[str, Block]:
    """Return the blocks for ``number`` reads; all of them, hits too, are each of another key."""
    jobs = {
        FLOOR: Tweets().using(cache_alias=alias),
        OURS: AlwaysStale().using(cache_alias=alias),
        ANCESTOR: AncestorAlwaysStale(alias),
    }
    names = [f"{time.monotonic_ns()}-{n}" for n in range(number)]
    for name in names:
        for job in jobs.values():
            job.set(name, data=VALUE)
    statement = "job.get(next(names))"
    return {which: calls(statement, job=job, names=iter(names)) for which, job in jobs.items()}


def _in_new_process(function: Callable[[str], float], library: str) -> float:
    worker = Worker()
    try:
        return float(worker.call(function, library))
    finally:
        worker.close()


def first_stale_read(library: str) -> float:
    """Return the seconds that the first stale read of this process takes."""
    ours, ancestor = AlwaysStale().using(cache_alias="redis"), AncestorAlwaysStale("redis")
    job = ours if library == "ours" else ancestor
    name = f"first-{time.monotonic_ns()}"
    job.set(name, data={"name": name})
    return calls("job.get(name)", job=job, name=name)(1)
