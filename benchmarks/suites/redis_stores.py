"""RedisStore, beside redis-py alone."""

from collections.abc import Iterator
from contextlib import closing

import redis

from benchmarks.counting import commands
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, plain, timed
from benchmarks.timing import calls, interleaved
from cacheback_app.stores import RedisStore

from .stores import NEW, OLD, PK, SK, reading, swapping, writing

SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


def run(environment: Environment) -> Iterator[Row]:
    url = environment.cache_server.url
    key = f"plain.store:{len(PK)}:{PK}{SK}"
    with closing(RedisStore(url)) as store, closing(redis.Redis.from_url(url)) as client:
        sha = client.script_load(SWAP)
        store.set(PK, SK, OLD)
        client.set(key, OLD)
        blocks = {FLOOR: calls("get(key)", get=client.get, key=key), OURS: reading(store)}
        samples = interleaved(blocks, number=40, rounds=250)
        yield timed("get, RedisStore / redis-py GET", samples, 1.15)
        blocks = {
            FLOOR: writing(lambda old, new: client.evalsha(sha, 1, key, old, new)),
            OURS: swapping(store),
        }
        samples = interleaved(blocks, number=40, rounds=250)
        yield timed("compare-and-set, RedisStore / one Lua call", samples, 1.15)

        store.set(PK, SK, OLD)
        with commands(environment.cache_server) as count:
            store.get(PK, SK)
        yield plain("get, RedisStore: round trips", {OURS: count.sent}, limit=1)
        with commands(environment.cache_server) as count:
            store.set(PK, SK, NEW, constraint=OLD)
        yield plain("compare-and-set, RedisStore: round trips", {OURS: count.sent}, limit=1)
