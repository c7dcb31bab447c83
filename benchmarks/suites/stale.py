"""A stale read on Redis whose refresh goes to Celery on Redis, as the request sees it."""

import time
from collections.abc import Callable, Iterator

from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import ANCESTOR, FLOOR, OURS, Row, duration, plain, timed
from benchmarks.subjects import AlwaysStale, AncestorAlwaysStale
from benchmarks.timing import Block, Samples, calls, interleaved
from cacheback_app.queues.handoff import handoff

from . import redis_hits

PAUSED = 300
BURST, BURSTS = 50, 15
ALIASES = {"redis": "Django's RedisCache", "own": "cacheback_app's RedisCache"}


def run(environment: Environment) -> Iterator[Row]:
    for alias, backend in ALIASES.items():
        yield timed(f"stale, {backend}, one at a time / hit", _one_at_a_time(alias), 2.5)
        yield timed(f"stale, {backend}, {BURST} back to back / hit", _bursts(alias), 2.5)
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
    names = [f"{time.monotonic_ns()}-{n}" for n in range(number)]
    ours, ancestor = AlwaysStale().using(cache_alias=alias), AncestorAlwaysStale(alias)
    for name in names:
        for job in (ours, ancestor):
            job.set(name, data={"name": name})
    return {
        FLOOR: redis_hits.ours(alias),
        OURS: calls("job.get(next(names))", job=ours, names=iter(names)),
        ANCESTOR: calls("job.get(next(names))", job=ancestor, names=iter(names)),
    }


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
