"""Containers over every backend that needs no more than this machine's services."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from cacheback_app.containers import CacheContainer
from cacheback_app.stores import BaseStore
from cacheback_app.stores.handler import build
from tests import services
from tests.store_fixtures import dynamodb, sqlalchemy

STORES = "cacheback_app.stores"
SHARED = ["LocalFileStore", "SQLiteStore", "SQLAlchemyStore", "DatabaseStore", "RedisStore"]
"""The backends that several processes can share."""
SERVERS = [
    "SQLAlchemyStore on postgres",
    "SQLAlchemyStore on mariadb",
    "DatabaseStore on postgres",
    "DatabaseStore on mariadb",
    "DynamoDBStore",
]
"""Those whose server keeps what is in it from one test to the next."""


def parameter(kind: str) -> Any:
    """Return the parameter for a backend, which needs the database or doesn't."""
    marks = [pytest.mark.django_db(transaction=True)] if kind == "DatabaseStore" else []
    return pytest.param(kind, marks=marks)


@pytest.fixture(params=[parameter(kind) for kind in ["LocalMemoryStore", *SHARED, *SERVERS]])
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
    elif kind in SERVERS:
        return served(kind, request)
    return {"BACKEND": f"{STORES}.{kind}", "OPTIONS": options}


def served(kind: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the definition of a store of the session's servers, in a corner of its own."""
    backend, _, server = kind.partition(" on ")
    corner = f"test_{uuid.uuid4().hex}"
    if backend == "DynamoDBStore":
        return dynamodb(request.getfixturevalue("moto"))
    if backend == "SQLAlchemyStore":
        definition = sqlalchemy(request.getfixturevalue(f"session_{server}"))
        return {**definition, "OPTIONS": {**definition["OPTIONS"], "table": corner}}
    alias = request.getfixturevalue(f"{server}_alias")
    blocker = request.getfixturevalue("django_db_blocker")
    blocker.unblock()
    request.addfinalizer(blocker.restore)
    request.addfinalizer(connections[alias].close)
    return {"BACKEND": f"{STORES}.{backend}", "OPTIONS": {"using": alias, "namespace": corner}}


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
