"""Fifty threads find one stale key at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import eq
from threading import Barrier

from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, OURS, Row, plain
from benchmarks.servers import RedisServer
from benchmarks.subjects import VALUE, AlwaysStale, AncestorAlwaysStale, AncestorTweets, Tweets
from cacheback_app.queues.handoff import handoff

THREADS, ROUNDS = 50, 10


def run(environment: Environment) -> Iterator[Row]:
    ours, ancestor = AlwaysStale().using(cache_alias="redis"), AncestorAlwaysStale("redis")
    with ThreadPoolExecutor(THREADS) as threads:
        most = {
            name: max(_tasks(job, threads, environment.broker_server) for _ in range(ROUNDS))
            for name, job in {OURS: ours, ANCESTOR: ancestor}.items()
        }
    yield plain(
        f"stale key, {THREADS} threads: tasks (most of {ROUNDS} rounds)", most, limit=1, is_met=eq
    )


def _tasks(job: Tweets | AncestorTweets, threads: ThreadPoolExecutor, broker: RedisServer) -> int:
    name = f"crowd-{time.monotonic_ns()}"
    job.set(name, data=VALUE)
    barrier = Barrier(THREADS)

    def read(_: int) -> None:
        barrier.wait(10)
        job.get(name)

    broker.client.delete("celery")
    list(threads.map(read, range(THREADS)))
    handoff.flush()
    return int(broker.client.llen("celery"))
