"""A hit instead of an ORM query, on Redis, beside the libraries that patch the ORM.

Each of those is let into a process of its own, as it would change what the others do.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

from django.contrib.auth.models import User
from django.core.management import call_command

from benchmarks.environment import Environment
from benchmarks.processes import Worker
from benchmarks.report import CACHALOT, CACHEOPS, FLOOR, OURS, Row, is_installed, timed
from benchmarks.timing import Block, calls, interleaved
from cacheback_app import QuerySetGetJob

APPS = {CACHEOPS: "cacheops", CACHALOT: "cachalot"}


def run(environment: Environment) -> Iterator[Row]:
    call_command("migrate", verbosity=0)
    User.objects.get_or_create(username="alice")
    with ExitStack() as stack:
        blocks: dict[str, Block] = {}
        for name, app in {FLOOR: "", OURS: "", **APPS}.items():
            if not app or is_installed(name):
                worker = Worker(BENCH_PEER=app)
                stack.callback(worker.close)
                blocks[name] = _remote(worker, name)
        samples = interleaved(blocks, number=50, rounds=100)
    yield timed(
        "get of one row, Redis: QuerySetGetJob on our RedisCache / ORM on SQLite",
        samples,
        rivals=APPS,
    )


def _remote(worker: Worker, name: str) -> Block:
    return lambda number: float(worker.call(time, name, number))


def time(name: str, number: int) -> float:
    """Return the seconds that ``number`` reads take in this process."""
    return _block(name)(number)


@cache
def _block(name: str) -> Block:
    statement = "read(username='alice')"
    if name == OURS:
        return calls(statement, read=QuerySetGetJob(User).using(cache_alias="own").get)
    return calls(statement, read=User.objects.get)
