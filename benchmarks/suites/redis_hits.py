"""A hit of a small value on Redis, over each cache backend."""

from collections.abc import Iterator

from django.core.cache import caches

from benchmarks import peers
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, CASHEWS, DOGPILE, FLOOR, OURS, Row, timed
from benchmarks.subjects import VALUE, AncestorTweets, Tweets
from benchmarks.timing import Block, awaited, calls, interleaved

from .hits import plain_key


def run(environment: Environment) -> Iterator[Row]:
    number, rounds = 40, 250

    blocks = {FLOOR: floor("redis"), OURS: ours("redis"), ANCESTOR: ancestor("redis")}
    samples = interleaved(blocks, number=number, rounds=rounds)
    yield timed("hit, Django's RedisCache: Job.get / cache.get", samples, 1.04)

    blocks = {
        FLOOR: floor("django_redis"),
        OURS: ours("django_redis"),
        ANCESTOR: ancestor("django_redis"),
    }
    samples = interleaved(blocks, number=number, rounds=rounds)
    yield timed("hit, django-redis: Job.get / cache.get", samples, 1.08)

    url = environment.cache_server.url
    region, cashews = peers.dogpile_redis(url), peers.Cashews(url)
    cached = cashews.cached(fetch)
    try:
        blocks = {
            FLOOR: floor("redis"),
            OURS: ours("own"),
            ANCESTOR: ancestor("own"),
            DOGPILE: calls("region.get_or_create('alice', fetch)", region=region, fetch=dict),
            CASHEWS: awaited(cashews.loop, lambda: cached("alice")),
        }
        samples = interleaved(blocks, number=number, rounds=rounds)
    finally:
        cashews.close()
    yield timed(
        "hit, cacheback_app's RedisCache: Job.get / cache.get of Django's RedisCache", samples, 0.5
    )


async def fetch(name: str) -> object:
    return VALUE


def floor(alias: str) -> Block:
    """Return the cache's own read of the value alone."""
    key = plain_key(Tweets().key("alice"))
    caches[alias].set(key, VALUE)
    return calls("cache.get(key)", cache=caches[alias], key=key)


def ours(alias: str) -> Block:
    """Return our hit."""
    job = Tweets().using(cache_alias=alias)
    job.set("alice", data=VALUE)
    return calls("job.get('alice')", job=job)


def ancestor(alias: str) -> Block:
    """Return the ancestor's hit."""
    job = AncestorTweets(alias)
    job.set("alice", data=VALUE)
    return calls("job.get('alice')", job=job)
