"""Redis round trips of one read, counted at the server."""

import time
from collections.abc import Callable, Iterator

from benchmarks import peers
from benchmarks.counting import commands
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DOGPILE, OURS, Row, plain
from benchmarks.subjects import (
    VALUE,
    AlwaysStale,
    AncestorAlwaysStale,
    AncestorTweets,
    Tweets,
)
from cacheback_app.queues.handoff import handoff


def run(environment: Environment) -> Iterator[Row]:
    def round_trips(read: Callable[[str], object]) -> int:
        read(f"warm-{time.monotonic_ns()}")
        with commands(environment.cache_server) as count:
            read(f"name-{time.monotonic_ns()}")
            handoff.flush()
        return count.sent

    def stored(job: Tweets | AncestorTweets) -> Callable[[str], object]:
        for name in ("first", "second"):
            job.set(name, data=VALUE)
        names = iter(("first", "second"))
        return lambda _: job.get(next(names))

    ours, ancestor = Tweets().using(cache_alias="redis"), AncestorTweets("redis")
    region = peers.dogpile_redis(environment.cache_server.url)
    for name in ("first", "second"):
        region.set(name, VALUE)
    names = iter(("first", "second"))
    counts = {
        OURS: round_trips(stored(ours)),
        ANCESTOR: round_trips(stored(ancestor)),
        DOGPILE: round_trips(lambda _: region.get_or_create(next(names), dict)),
    }
    yield plain("round trips, hit", counts, limit=1)

    counts = {
        OURS: round_trips(stored(AlwaysStale().using(cache_alias="redis"))),
        ANCESTOR: round_trips(stored(AncestorAlwaysStale("redis"))),
    }
    yield plain("round trips, stale", counts, limit=2)

    counts = {
        OURS: round_trips(ours.get),
        ANCESTOR: round_trips(ancestor.get),
        DOGPILE: round_trips(lambda name: region.get_or_create(name, lambda: VALUE)),
    }
    yield plain("round trips, miss", counts, limit=4)
