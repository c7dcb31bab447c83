"""A hit of a small value in a file: all over diskcache, ours as its Django backend."""

import sys
from collections.abc import Iterator

from benchmarks import peers, settings
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DISKCACHE, FLOOR, OURS, Row, timed
from benchmarks.timing import interleaved

from .hits import RIVALS, alone, ancestor, by_name, hit, ours, swr_hit


def run(environment: Environment) -> Iterator[Row]:
    cache = peers.diskcache(str(settings.FOLDER / "memoized"))
    if cache is None:
        print("disk_hits: skipped, diskcache is not installed", file=sys.stderr)
        return
    alias = "diskcache"
    with cache:
        blocks = {
            FLOOR: alone(alias),
            OURS: ours(alias),
            ANCESTOR: ancestor(alias),
            DISKCACHE: hit(cache.memoize(expire=600)(by_name)),
            **swr_hit(alias),
        }
        samples = interleaved(blocks, number=100, rounds=100)
    yield timed(
        "hit, a file (diskcache's Django backend): Job.get / cache.get",
        samples,
        rivals=(*RIVALS, DISKCACHE),
    )
