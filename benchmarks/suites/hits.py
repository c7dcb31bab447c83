"""A hit of a small value in local memory."""

from collections.abc import Iterator

from django.core.cache import caches

from benchmarks import peers
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, DOGPILE, FLOOR, OURS, Row, timed
from benchmarks.subjects import VALUE, AncestorTweets, Tweets, ancestor_tweets, tweets
from benchmarks.timing import calls, interleaved


def run(environment: Environment) -> Iterator[Row]:
    cache = caches["default"]
    region = peers.dogpile_local()

    job, ancestor = Tweets(), AncestorTweets()
    for each in (job, ancestor):
        each.set("alice", data=VALUE)
    key = plain_key(job.key("alice"))
    cache.set(key, VALUE)
    floor = calls("cache.get(key)", cache=cache, key=key)
    dogpile = calls("region.get_or_create(key, fetch)", region=region, key=key, fetch=lambda: VALUE)
    method = "job.get('alice')"
    blocks = {FLOOR: floor, OURS: calls(method, job=job), ANCESTOR: calls(method, job=ancestor)}
    samples = interleaved({**blocks, DOGPILE: dogpile}, number=1000, rounds=150)
    yield timed("hit, local memory: Job.get / cache.get", samples, 1.5)

    tweets.set("alice", data=VALUE)
    ancestor_tweets.job.set(ancestor_tweets.fn, "alice", data=VALUE)
    key = plain_key(tweets.key("alice"))
    cache.set(key, VALUE)
    blocks = {
        FLOOR: calls("cache.get(key)", cache=cache, key=key),
        OURS: calls("tweets('alice')", tweets=tweets),
        ANCESTOR: calls("tweets('alice')", tweets=ancestor_tweets),
        DOGPILE: calls("tweets('alice')", tweets=region.cache_on_arguments()(lambda name: VALUE)),
    }
    samples = interleaved(blocks, number=1000, rounds=150)
    yield timed("hit, local memory: decorated function / cache.get", samples, 1.6)


def plain_key(key: str) -> str:
    """Return a key of the same length for the same value without anything around it."""
    return key.replace("alice", "plain")
