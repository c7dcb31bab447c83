"""A stale key that 8 threads of each of 8 processes want at once; the upstream takes 200 ms."""

import time
from collections.abc import Callable, Iterator
from functools import cache
from statistics import median
from typing import Any

from benchmarks import peers, settings
from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import ANCESTOR, DOGPILE, OURS, SWR, Row, duration, is_installed, plain
from benchmarks.subjects import VALUE, AncestorTweets
from cacheback_app import Job
from cacheback_app.queues.handoff import handoff

from .cold import FETCH, PROCESSES, THREADS, crowd_of_threads

ROUNDS = 5
LIFETIME = 0.05


def run(environment: Environment) -> Iterator[Row]:
    names = [name for name in CROWDS if is_installed(name) or name == OURS]
    workers = [Worker() for _ in range(PROCESSES)]
    renewals: dict[str, list[int]] = {name: [] for name in names}
    slowest: dict[str, list[float]] = {name: [] for name in names}
    try:
        for turn in range(ROUNDS + 1):
            for name in names:
                count, wait = _round(environment, workers, name)
                if turn:  # the first connects, and imports
                    renewals[name].append(count)
                    slowest[name].append(wait)
    finally:
        for worker in workers:
            worker.close()
    what = f"stale key, {PROCESSES} processes x {THREADS} threads"
    counts = {name: max(found) for name, found in renewals.items()}
    waits = {name: median(found) for name, found in slowest.items()}
    rivals = (ANCESTOR, DOGPILE, SWR)
    yield plain(f"{what}: renewals (most)", counts, limit=1, rivals=rivals)
    yield plain(f"{what}: the slowest caller", waits, show=duration, rivals=rivals)


def _round(environment: Environment, workers: list[Worker], name: str) -> tuple[int, float]:
    key = f"herd-{time.monotonic_ns()}"
    environment.broker_server.client.delete("celery")
    workers[0].call(fill, name, key)
    time.sleep(2 * LIFETIME)
    start = time.monotonic() + 0.15
    for worker in workers:
        worker.begin(ask, name, key, start)
    answers = [worker.result() for worker in workers]
    last = max(end for ends, _ in answers for end in ends)
    tasks = int(environment.broker_server.client.llen("celery"))
    return tasks + sum(fetches for _, fetches in answers), last - start


# In the worker processes

_fetches: list[str] = []
_is_filling = False


def fill(crowd: str, key: str) -> None:
    """Store a value for ``key`` that is stale soon."""
    global _is_filling
    _is_filling = True
    try:
        FILL.get(crowd, CROWDS[crowd])(key)
    finally:
        _is_filling = False


def ask(crowd: str, key: str, start: float) -> tuple[list[float], int]:
    """Ask for ``key`` at ``start``; return when the answers came, and the fetches in here."""
    _fetches.clear()
    ends = crowd_of_threads(CROWDS[crowd])(key, start)
    handoff.flush()
    time.sleep(FETCH / 4)  # for threads that begin to fetch in the background
    return ends, len(_fetches)


def fetch(name: str) -> Any:
    if not _is_filling:
        _fetches.append(name)
        time.sleep(FETCH)
    return VALUE


class Slow(Job):
    cache_alias = "redis"
    lifetime = LIFETIME

    def fetch(self, name: str) -> Any:
        return fetch(name)


class AncestorSlow(AncestorTweets):
    lifetime = LIFETIME

    def expiry(self, name: str) -> float:
        return time.time() + LIFETIME

    def fetch(self, name: str) -> Any:
        return fetch(name)


@cache
def _region() -> Any:
    return peers.dogpile_redis(settings.CACHE_URL)


def _dogpile(key: str) -> object:
    return _region().get_or_create(key, lambda: fetch(key), expiration_time=LIFETIME)


def _swr(key: str) -> object:
    return _memoized()(key)


@cache
def _memoized() -> Callable[[str], Any]:
    memoize = peers.swr("redis", max_age=600, fresh_for=LIFETIME)
    assert memoize is not None
    return memoize(fetch)


CROWDS: dict[str, Callable[[str], Any]] = {
    OURS: Slow().get,
    ANCESTOR: lambda key: AncestorSlow("redis").get(key),
    DOGPILE: _dogpile,
    SWR: _swr,
}

FILL: dict[str, Callable[[str], Any]] = {
    OURS: lambda key: Slow().set(key, data=VALUE),
    ANCESTOR: lambda key: AncestorSlow("redis").set(key, data=VALUE),
}
"""How a value gets in where a read would not wait for it."""
