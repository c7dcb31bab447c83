"""A hit of a small value in local memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from django.core.cache import caches

from benchmarks import peers
from benchmarks.environment import Environment
from benchmarks.report import ANCESTOR, CASHEWS, DOGPILE, FLOOR, OURS, SWR, Row, timed
from benchmarks.subjects import VALUE, AncestorTweets, Tweets, ancestor_tweets, tweets
from benchmarks.timing import Block, awaited, calls, interleaved

RIVALS = (ANCESTOR, DOGPILE, CASHEWS, SWR)
"""They give each caller a value of its own, as we do."""


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
    yield timed("hit, local memory: Job.get / cache.get", samples, 1.5, rivals=RIVALS)

    tweets.set("alice", data=VALUE)
    ancestor_tweets.job.set(ancestor_tweets.fn, "alice", data=VALUE)
    key = plain_key(tweets.key("alice"))
    cache.set(key, VALUE)
    decorated = {
        OURS: tweets,
        ANCESTOR: ancestor_tweets,
        DOGPILE: region.cache_on_arguments()(by_name),
    }
    with ExitStack() as stack:
        blocks = {
            FLOOR: calls("cache.get(key)", cache=cache, key=key),
            **{name: hit(function) for name, function in decorated.items()},
            **swr_hit("default"),
            **cashews_hit("mem://", stack),
        }
        samples = interleaved(blocks, number=1000, rounds=150)
    yield timed("hit, local memory: decorated function / cache.get", samples, 1.6, rivals=RIVALS)


def by_name(name: str) -> object:
    """Be what the libraries decorate."""
    return VALUE


async def aby_name(name: str) -> object:
    return VALUE


def hit(function: Callable[[str], Any]) -> Block:
    """Return calls of a decorated function that hit."""
    function("alice")
    return calls("function('alice')", function=function)


def swr_hit(alias: str) -> dict[str, Block]:
    """Return a hit of django-swr-memoize, where it is installed."""
    memoize = peers.swr(alias)
    return {SWR: hit(memoize(by_name))} if memoize else {}


def cashews_hit(url: str, stack: ExitStack) -> dict[str, Block]:
    """Return a hit of cashews, where it is installed, until ``stack`` ends."""
    cashews = peers.cashews(url)
    if cashews is None:
        return {}
    stack.callback(cashews.close)
    cached = cashews.cached(aby_name)
    return {CASHEWS: awaited(cashews.loop, lambda: cached("alice"))}


def plain_key(key: str) -> str:
    """Return a key of the same length for the same value without anything around it."""
    return key.replace("alice", "plain")


def alone(alias: str) -> Block:
    """Return the cache's own read of the value alone: the floor."""
    key = plain_key(Tweets().key("alice"))
    caches[alias].set(key, VALUE)
    return calls("cache.get(key)", cache=caches[alias], key=key)


def ours(alias: str) -> Block:
    """Return our hit on a cache."""
    job = Tweets().using(cache_alias=alias)
    job.set("alice", data=VALUE)
    return calls("job.get('alice')", job=job)


def ancestor(alias: str) -> Block:
    """Return the ancestor's hit on a cache."""
    job = AncestorTweets(alias)
    job.set("alice", data=VALUE)
    return calls("job.get('alice')", job=job)
