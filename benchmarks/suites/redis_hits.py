"""A hit of a small value on Redis, over each cache backend."""

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import peers
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DOGPILE, FLOOR, OURS, Row, timed
from benchmarks.timing import calls, interleaved

from .hits import RIVALS, alone, ancestor, cashews_hit, ours, swr_hit


def run(environment: Environment) -> Iterator[Row]:
    number, rounds = 40, 250
    for alias, backend, limit in [
        ("redis", "Django's RedisCache", 1.04),
        ("django_redis", "django-redis", 1.08),
    ]:
        blocks = {FLOOR: alone(alias), OURS: ours(alias), ANCESTOR: ancestor(alias)}
        blocks |= swr_hit(alias)
        samples = interleaved(blocks, number=number, rounds=rounds)
        yield timed(f"hit, {backend}: Job.get / cache.get", samples, limit, rivals=RIVALS)

    url = environment.cache_server.url
    region = peers.dogpile_redis(url)
    with ExitStack() as stack:
        blocks = {
            FLOOR: alone("redis"),
            OURS: ours("own"),
            ANCESTOR: ancestor("own"),
            DOGPILE: calls("region.get_or_create('alice', fetch)", region=region, fetch=dict),
            **swr_hit("own"),
            **cashews_hit(url, stack),
        }
        samples = interleaved(blocks, number=number, rounds=rounds)
    yield timed(
        "hit, cacheback_app's RedisCache: Job.get / cache.get of Django's RedisCache",
        samples,
        0.5,
        rivals=RIVALS,
    )
