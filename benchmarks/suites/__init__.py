"""One module a suite, each with ``run(environment)``, which yields rows."""

from . import (
    bulk,
    cold,
    containers,
    crowd,
    hits,
    near,
    outage,
    querysets,
    redis_hits,
    redis_stores,
    round_trips,
    stale,
    stores,
)

LOCAL = {"hits": hits, "querysets": querysets, "stores": stores, "containers": containers}
"""Suites that need nothing but this process."""

REDIS = {
    "redis_hits": redis_hits,
    "near": near,
    "bulk": bulk,
    "stale": stale,
    "round_trips": round_trips,
    "crowd": crowd,
    "cold": cold,
    "outage": outage,
    "redis_stores": redis_stores,
}
"""Suites that need Redis."""

ON_ONE_CPU = {"redis_hits", "redis_stores", "bulk", "stale"}
"""Suites that time single round trips."""
