"""A hit under ``local_ttl``: of a value on Redis, beside a read of local memory.

The value is shared, not copied, as cachetools shares it.
"""

from collections.abc import Iterator

from django.core.cache import caches

from benchmarks import peers
from benchmarks.environment import Environment
from benchmarks.report import CACHETOOLS, FLOOR, OURS, Row, timed
from benchmarks.subjects import VALUE, Tweets
from benchmarks.timing import calls, interleaved

from .hits import by_name, hit, plain_key

LARGE = [dict(VALUE, tweets=number) for number in range(10_000)]


def run(environment: Environment) -> Iterator[Row]:
    cache = caches["default"]
    job = Tweets().using(cache_alias="redis", local_ttl=600)
    key = plain_key(job.key("alice"))
    cache.set(key, VALUE)
    for name, value in {"a small value": VALUE, "a list of 10,000 dicts": LARGE}.items():
        job.set("alice", data=value)
        blocks = {
            FLOOR: calls("cache.get(key)", cache=cache, key=key),
            OURS: calls("job.get('alice')", job=job),
        }
        if cached := peers.cachetools(by_name):
            blocks[CACHETOOLS] = hit(cached)
        samples = interleaved(blocks, number=2000, rounds=100)
        yield timed(
            f"hit under local_ttl, {name} / local memory's cache.get",
            samples,
            0.4,
            rivals=(CACHETOOLS,),
        )
