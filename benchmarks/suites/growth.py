"""What does not grow with the number of keys, of tagged entries, and of waiting callers."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.counting import commands
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, plain, timed
from benchmarks.subjects import VALUE, Tweets
from benchmarks.timing import calls, interleaved
from cacheback_app import Job, invalidate_tags

FEW, MANY = 100, 50_000
CALLERS = (8, 64)
FETCH = 0.2


class Tagged(Job):
    cache_alias = "own"

    def fetch(self, name: str) -> object:
        return VALUE

    def tags(self, name: str) -> list[str]:
        return [f"crowd:{name.partition('-')[0]}"]


class Slow(Tweets):
    cache_alias = "own"

    def fetch(self, name: str) -> object:
        time.sleep(FETCH)
        return VALUE


def run(environment: Environment) -> Iterator[Row]:
    yield from _keys(environment)
    yield from _tags(environment)
    yield from _callers(environment)


def _keys(environment: Environment) -> Iterator[Row]:
    job = Tweets().using(cache_alias="own")
    job.set("alice", data=VALUE)
    hit = calls("job.get('alice')", job=job)
    few = interleaved({FLOOR: hit}, number=40, rounds=100)[FLOOR]
    environment.cache_server.client.execute_command("DEBUG", "POPULATE", MANY * 20, "filler", 100)
    many = interleaved({OURS: hit}, number=40, rounds=100)[OURS]
    environment.cache_server.client.flushall()
    samples = {FLOOR: few, OURS: many}
    yield timed(f"hit beside {MANY * 20:,} other keys / beside none", samples, 1.2)


def _tags(environment: Environment) -> Iterator[Row]:
    job = Tagged()
    for size, crowd in ((FEW, "few"), (MANY, "many")):
        for start in range(0, size, 1000):
            job.get_many([f"{crowd}-{n}" for n in range(start, min(start + 1000, size))])
    blocks = {
        FLOOR: calls("invalidate('crowd:few')", invalidate=invalidate_tags),
        OURS: calls("invalidate('crowd:many')", invalidate=invalidate_tags),
    }
    samples = interleaved(blocks, number=20, rounds=50)
    yield timed(f"invalidate_tags of {MANY:,} entries / of {FEW}, all cache aliases", samples, 1.2)
    with commands(environment.cache_server) as count:
        job.get("many-7")
    yield plain("round trips, hit of a tagged entry", {OURS: count.sent}, limit=2)


def _callers(environment: Environment) -> Iterator[Row]:
    sent = {}
    for callers in CALLERS:
        with ThreadPoolExecutor(callers) as threads:
            key = f"waited-for-{time.monotonic_ns()}"
            with commands(environment.cache_server) as count:
                list(threads.map(Slow().get, [key] * callers))
            sent[callers] = count.sent
    few, many = CALLERS
    yield plain(
        f"cold key, {many} threads of a process: Redis commands beyond one read a caller",
        {FLOOR: sent[few] - few, OURS: sent[many] - many},
        limit=8,
    )
