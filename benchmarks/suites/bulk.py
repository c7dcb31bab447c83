"""``get_many`` of 100 cached keys."""

from collections.abc import Iterator

from django.core.cache import caches

from benchmarks import peers
from benchmarks.counting import commands
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DOGPILE, FLOOR, OURS, Row, plain, timed
from benchmarks.subjects import VALUE, AncestorTweets, Tweets
from benchmarks.timing import calls, interleaved

NAMES = [f"alice-{number:02}" for number in range(100)]
ALIASES = {"redis": "Django's RedisCache", "own": "cacheback_app's", "default": "local memory"}


def run(environment: Environment) -> Iterator[Row]:
    region = peers.dogpile_redis(environment.cache_server.url)
    region.set_multi(dict.fromkeys(NAMES, VALUE))
    for alias, backend in ALIASES.items():
        job, ancestor = Tweets().using(cache_alias=alias), AncestorTweets(alias)
        keys = [job.key(name).replace("alice", "plain") for name in NAMES]
        caches[alias].set_many(dict.fromkeys(keys, VALUE))
        for name in NAMES:
            job.set(name, data=VALUE)
            ancestor.set(name, data=VALUE)
        blocks = {
            FLOOR: calls("cache.get_many(keys)", cache=caches[alias], keys=keys),
            OURS: calls("job.get_many(names)", job=job, names=NAMES),
            ANCESTOR: calls("[job.get(name) for name in names]", job=ancestor, names=NAMES),
        }
        if alias == "redis":
            statement = "region.get_or_create_multi(names, dict)"
            blocks[DOGPILE] = calls(statement, region=region, names=NAMES)
        samples = interleaved(blocks, number=3, rounds=80)
        yield timed(f"get_many of 100 hits, {backend} / cache.get_many", samples, 1.5)

    job, ancestor = Tweets().using(cache_alias="redis"), AncestorTweets("redis")
    with commands(environment.cache_server) as ours:
        job.get_many(NAMES)
    with commands(environment.cache_server) as theirs:
        for name in NAMES:
            ancestor.get(name)
    with commands(environment.cache_server) as dogpile:
        region.get_or_create_multi(NAMES, dict)
    counts = {OURS: ours.sent, ANCESTOR: theirs.sent, DOGPILE: dogpile.sent}
    yield plain("get_many of 100 hits, Redis: round trips", counts, limit=1)
