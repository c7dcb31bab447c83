"""A hit of a small value on memcached."""

import sys
from collections.abc import Iterator

from benchmarks import peers, settings
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DOGPILE, FLOOR, OURS, Row, timed
from benchmarks.timing import calls, interleaved

from .hits import RIVALS, alone, ancestor, ours, swr_hit


def run(environment: Environment) -> Iterator[Row]:
    if not settings.MEMCACHED:
        print("memcached_hits: skipped, memcached is not installed", file=sys.stderr)
        return
    alias = "memcached"
    region = peers.dogpile_memcached(settings.MEMCACHED)
    region.get_or_create("alice", dict)
    blocks = {
        FLOOR: alone(alias),
        OURS: ours(alias),
        ANCESTOR: ancestor(alias),
        DOGPILE: calls("region.get_or_create('alice', fetch)", region=region, fetch=dict),
        **swr_hit(alias),
    }
    samples = interleaved(blocks, number=40, rounds=150)
    yield timed("hit, memcached: Job.get / cache.get", samples, rivals=RIVALS)
