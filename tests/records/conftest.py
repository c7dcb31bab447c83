"""Caches of both kinds, on files of their own."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.records import JSONCache, RecordCache, SqliteCache
from tests.records.models import Tracker, endpoint_of

Make = Callable[..., RecordCache[Any]]
KINDS = {"JSONCache": JSONCache, "SqliteCache": SqliteCache}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a cache class."""
    return str(request.param)


@pytest.fixture
def make(kind: str, tmp_path: Path) -> Iterator[Make]:
    """Makes caches of that class in one folder, as other processes would."""
    made = []

    def make(expire_after: Any = None, model: type = Tracker, **options: Any) -> RecordCache[Any]:
        made.append(KINDS[kind](tmp_path / "cache", expire_after, endpoint_of(model), **options))
        return made[-1]

    yield make
    close(*made)


@pytest.fixture
def cache(make: Make) -> RecordCache[Tracker]:
    """A cache of trackers."""
    return make()


def close(*caches: RecordCache[Any]) -> None:
    """Close the connections of those that have some."""
    gc.collect()
    for cache in caches:
        if isinstance(cache, SqliteCache):
            cache.close()
