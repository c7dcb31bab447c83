"""One module a suite, each with ``run(environment)``, which yields rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.environment import Environment
from benchmarks.report import Row

from . import (
    bulk,
    cold,
    containers,
    crowd,
    disk_hits,
    growth,
    herd,
    hits,
    memcached_hits,
    near,
    observed,
    orm_hits,
    outage,
    project_items,
    querysets,
    records,
    redis_hits,
    redis_stores,
    round_trips,
    stale,
    stores,
)


@dataclass(frozen=True)
class Suite:
    """A suite, the section of the document that shows it, and what it needs."""

    run: Callable[[Environment], Iterator[Row]]
    section: str
    redis: bool = False
    on_one_cpu: bool = False
    """Whether it times single round trips."""


HITS, STALE, CROWDS = "Hits", "Stale reads, misses and outages", "Crowds"
STORES, GROWTH = "Stores and containers", "Growth"
RECORDS, PROJECTS = "Records of a remote API", "The project cache"

SUITES = {
    "hits": Suite(hits.run, HITS),
    "observed": Suite(observed.run, HITS),
    "near": Suite(near.run, HITS, redis=True),
    "querysets": Suite(querysets.run, HITS),
    "redis_hits": Suite(redis_hits.run, HITS, redis=True, on_one_cpu=True),
    "memcached_hits": Suite(memcached_hits.run, HITS, on_one_cpu=True),
    "disk_hits": Suite(disk_hits.run, HITS),
    "orm_hits": Suite(orm_hits.run, HITS, redis=True),
    "bulk": Suite(bulk.run, HITS, redis=True, on_one_cpu=True),
    "stale": Suite(stale.run, STALE, redis=True, on_one_cpu=True),
    "round_trips": Suite(round_trips.run, STALE, redis=True),
    "outage": Suite(outage.run, STALE, redis=True),
    "crowd": Suite(crowd.run, CROWDS, redis=True),
    "cold": Suite(cold.run, CROWDS, redis=True),
    "herd": Suite(herd.run, CROWDS, redis=True),
    "stores": Suite(stores.run, STORES),
    "containers": Suite(containers.run, STORES),
    "redis_stores": Suite(redis_stores.run, STORES, redis=True, on_one_cpu=True),
    "records": Suite(records.run, RECORDS),
    "project_items": Suite(project_items.run, PROJECTS),
    "growth": Suite(growth.run, GROWTH, redis=True),
}
