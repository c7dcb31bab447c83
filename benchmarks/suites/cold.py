"""A cold key that 8 threads of each of 8 processes want at once; the upstream takes 200 ms."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from benchmarks import peers, settings
from benchmarks.counting import Count, commands
from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import (
    ANCESTOR,
    CASHEWS,
    DISKCACHE,
    DOGPILE,
    OURS,
    SWR,
    Row,
    is_installed,
    plain,
)
from benchmarks.subjects import VALUE, AncestorTweets
from cacheback_app import Job

PROCESSES, THREADS, ROUNDS = 8, 8, 5
FETCH = 0.2
RIVALS = (DOGPILE, CASHEWS)
"""They fetch once, over all processes, as we do."""


@dataclass(frozen=True)
class Outcome:
    """What one round gave."""

    fetches: int
    last: float
    """When the last answer came, in multiples of the fetch."""
    count: Count


def run(environment: Environment) -> Iterator[Row]:
    names = [name for name in CROWDS if is_installed(name) or name == OURS]
    workers = [Worker() for _ in range(PROCESSES)]
    try:
        for name in names:  # connections, and the script that Redis keeps
            _round(environment, workers, name)
        outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, rounds in outcomes.items():
                rounds.append(_round(environment, workers, name))
    finally:
        for worker in workers:
            worker.close()
    what = f"cold key, {PROCESSES} processes x {THREADS} threads"
    yield _row(f"{what}: fetches (most)", outcomes, lambda o: o.fetches, 1, max)
    yield _row(f"{what}: last answer / fetch", outcomes, lambda o: o.last, 1.1, median)
    yield _row(f"{what}: last answer / fetch (least)", outcomes, lambda o: o.last, 1.1, min)
    yield _row(f"{what}: Redis commands sent", outcomes, lambda o: o.count.sent, 200, median)
    yield _row(
        f"{what}: Redis commands, with those in scripts",
        outcomes,
        lambda o: o.count.ran,
        200,
        median,
    )


def _row(
    operation: str,
    outcomes: dict[str, list[Outcome]],
    value: Callable[[Outcome], float],
    limit: float,
    of: Callable[[list[float]], float],
) -> Row:
    values = {name: of([value(one) for one in rounds]) for name, rounds in outcomes.items()}
    return plain(operation, values, limit=limit, show="{:.4g}".format, rivals=RIVALS)


def _round(environment: Environment, workers: list[Worker], name: str) -> Outcome:
    key = f"cold-{time.monotonic_ns()}"
    with commands(environment.cache_server) as count:
        start = time.monotonic() + 0.15
        for worker in workers:
            worker.begin(ask, name, key, start)
        answers = [worker.result() for worker in workers]
    last = max(end for ends, _ in answers for end in ends)
    return Outcome(sum(fetches for _, fetches in answers), (last - start) / FETCH, count)


# In the worker processes

_fetches: list[str] = []


def ask(crowd: str, key: str, start: float) -> tuple[list[float], int]:
    """Ask for ``key`` at the time ``start`` by this machine's monotonic clock, all at once.

    Return when the answers came, and how many fetches they took in this process.
    """
    _fetches.clear()
    ends = CROWDS[crowd](key, start)
    return ends, len(_fetches)


def fetch(name: str) -> Any:
    _fetches.append(name)
    time.sleep(FETCH)
    return VALUE


async def afetch(name: str) -> Any:
    _fetches.append(name)
    await asyncio.sleep(FETCH)
    return VALUE


class Slow(Job):
    cache_alias = "redis"

    def fetch(self, name: str) -> Any:
        return fetch(name)


class AncestorSlow(AncestorTweets):
    def fetch(self, name: str) -> Any:
        return fetch(name)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS)


def crowd_of_threads(read: Callable[[str], object]) -> Callable[[str, float], list[float]]:
    """Return what has all threads of this process read a key at the same time."""

    def wait_and_read(key: str, start: float) -> float:
        time.sleep(max(0.0, start - time.monotonic()))
        read(key)
        return time.monotonic()

    def crowd(key: str, start: float) -> list[float]:
        futures = [_threads().submit(wait_and_read, key, start) for _ in range(THREADS)]
        return [future.result() for future in futures]

    return crowd


def _dogpile(key: str) -> object:
    return _region().get_or_create(key, lambda: fetch(key))


@cache
def _region() -> Any:
    return peers.dogpile_redis(settings.CACHE_URL)


def _swr(key: str) -> object:
    return _memoized()(key)


@cache
def _memoized() -> Callable[[str], Any]:
    memoize = peers.swr("redis")
    assert memoize is not None
    return memoize(fetch)


def _diskcache(key: str) -> object:
    return _on_disk()(key)


@cache
def _on_disk() -> Callable[[str], Any]:
    from diskcache import memoize_stampede

    return memoize_stampede(peers.diskcache(str(settings.FOLDER / "cold")), 600)(fetch)


@cache
def _cashews() -> tuple[peers.Cashews, Callable[..., Any]]:
    cashews = peers.cashews(settings.CACHE_URL)
    assert cashews is not None
    return cashews, cashews.cached(afetch)


def _tasks(key: str, start: float) -> list[float]:
    cashews, cached = _cashews()

    async def wait_and_read() -> float:
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        await cached(key)
        return time.monotonic()

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(wait_and_read() for _ in range(THREADS)))

    return cashews.loop.run_until_complete(all_of_them())


CROWDS: dict[str, Callable[[str, float], list[float]]] = {
    OURS: crowd_of_threads(Slow().get),
    ANCESTOR: crowd_of_threads(lambda key: AncestorSlow("redis").get(key)),
    DOGPILE: crowd_of_threads(_dogpile),
    SWR: crowd_of_threads(_swr),
    DISKCACHE: crowd_of_threads(_diskcache),
    CASHEWS: _tasks,  # asyncio only: eight tasks for eight threads
}
