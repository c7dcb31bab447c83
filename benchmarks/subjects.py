"""What is measured: jobs of this package, and their like of the ancestor, django-cacheback."""

import time
from typing import Any

import cacheback.base
import cacheback.decorators
import cacheback.jobs

import cacheback_app

VALUE = {"name": "alice", "tweets": 42}
"""The small value of most suites."""


class Tweets(cacheback_app.Job):
    def fetch(self, name: str) -> Any:
        return VALUE


class AlwaysStale(Tweets):
    def expiry(self, name: str) -> float:
        return time.time() - 1


@cacheback_app.cacheback
def tweets(name: str) -> Any:
    return VALUE


class AncestorTweets(cacheback.base.Job):
    def __init__(self, cache_alias: str | None = None) -> None:
        self.cache_alias = cache_alias
        super().__init__()

    def fetch(self, name: str) -> Any:
        return VALUE


class AncestorAlwaysStale(AncestorTweets):
    def expiry(self, name: str) -> float:
        return time.time() - 1


@cacheback.decorators.cacheback()
def ancestor_tweets(name: str) -> Any:
    return VALUE
