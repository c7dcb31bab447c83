"""Containers over every backend that needs no more than this machine's services."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.containers import CacheContainer
from cacheback_app.stores import BaseStore
from cacheback_app.stores.handler import build
from tests import services

STORES = "cacheback_app.stores"
SHARED = ["LocalFileStore", "SQLiteStore", "SQLAlchemyStore", "DatabaseStore", "RedisStore"]
"""The backends that several processes can share."""


def parameter(kind: str) -> Any:
    """Return the parameter for a backend, which needs the database or doesn't."""
    marks = [pytest.mark.django_db(transaction=True)] if kind == "DatabaseStore" else []
    return pytest.param(kind, marks=marks)


@pytest.fixture(params=[parameter(kind) for kind in ["LocalMemoryStore", *SHARED]])
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a backend."""
    return str(request.param)


@pytest.fixture
def definition(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What ``CACHEBACK_STORES`` would say of an empty store of that kind."""
    options: dict[str, Any] = {}
    if kind == "LocalFileStore":
        options = {"path": str(tmp_path / "files"), "durable": False}
    elif kind == "SQLiteStore":
        options = {"path": str(tmp_path / "store.sqlite3"), "durable": False}
    elif kind == "SQLAlchemyStore":
        options = {
            "url": f"sqlite:///{tmp_path / 'alchemy.sqlite3'}",
            "engine_options": {"connect_args": {"timeout": 60}},
        }
    elif kind == "RedisStore":
        server: services.RedisServer = request.getfixturevalue("shared_redis_server")
        options = {"url": server.url()}
    return {"BACKEND": f"{STORES}.{kind}", "OPTIONS": options}


@pytest.fixture
def store(definition: dict[str, Any]) -> Iterator[BaseStore]:
    """An empty store."""
    with closing(build("tested", definition)) as store:
        yield store


class Counted:
    """A generator that remembers for which keys it was called."""

    def __init__(self, generate: Callable[[str], Any] = "Hello {}!".format) -> None:
        self.keys: list[str] = []
        self._generate = generate

    def __call__(self, key: str) -> Any:
        self.keys.append(key)
        return self._generate(key)


@pytest.fixture
def greet() -> Counted:
    """A generator of greetings."""
    return Counted()


@pytest.fixture
def greeting(store: BaseStore, greet: Counted) -> CacheContainer:
    """A container of greetings over each backend."""
    return CacheContainer("greeting", store, greet)
