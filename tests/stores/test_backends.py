"""S6: every backend passes the conformance suite, on the real thing."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from cacheback_app.stores import (
    BaseStore,
    DatabaseStore,
    LocalFileStore,
    LocalMemoryStore,
    RedisStore,
    SQLiteStore,
)
from cacheback_app.stores.handler import build
from cacheback_app.testing.stores import StoreConformance
from tests import services, store_fixtures


class TestLocalMemoryStore(StoreConformance):
    """S6 in this process's memory."""

    increments = 200

    def make_store(self) -> BaseStore:
        return LocalMemoryStore()


class TestLocalFileStore(StoreConformance):
    """S6 in files, written with fsync."""

    increments = 20

    @pytest.fixture
    def store(self, folder: Path) -> BaseStore:
        return LocalFileStore(folder)


class TestFastFileStore(StoreConformance):
    """S6 in files, written without fsync."""

    increments = 50

    @pytest.fixture
    def store(self, folder: Path) -> BaseStore:
        return LocalFileStore(folder, durable=False)


class TestSQLiteStore(StoreConformance):
    """S6 in an SQLite file."""

    increments = 20

    @pytest.fixture
    def store(self, folder: Path) -> Iterator[BaseStore]:
        store = SQLiteStore(folder / "store.sqlite3")
        yield store
        store.close()


class TestRedisStore(StoreConformance):
    """S6 on Redis."""

    @pytest.fixture
    def store(self, shared_redis_server: services.RedisServer) -> Iterator[BaseStore]:
        store = RedisStore(shared_redis_server.url())
        yield store
        store.close()


class SQLAlchemyConformance(StoreConformance):
    @pytest.fixture
    def store(self, url: str) -> Iterator[BaseStore]:
        store = build("tested", store_fixtures.sqlalchemy(url))
        yield store
        store.close()


class TestSQLAlchemyOnSQLite(SQLAlchemyConformance):
    """S6 through SQLAlchemy on SQLite."""

    increments = 2  # SQLite's lock has no queue

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite://{tmp_path / 'store.sqlite3'}"


class TestSQLAlchemyOnPostgreSQL(SQLAlchemyConformance):
    """S6 through SQLAlchemy on PostgreSQL."""

    @pytest.fixture
    def url(self, session_postgres: str) -> str:
        return session_postgres


class TestSQLAlchemyOnMariaDB(SQLAlchemyConformance):
    """S6 through SQLAlchemy on MariaDB."""

    @pytest.fixture
    def url(self, session_mariadb: str) -> str:
        return session_mariadb


class DatabaseConformance(StoreConformance):
    @pytest.fixture
    def store(self, alias: str, django_db_blocker: Any) -> Iterator[BaseStore]:
        self.alias = alias
        with django_db_blocker.unblock():
            yield DatabaseStore(alias)
            connections[alias].close()

    def in_thread(self, do: Callable[[], Any]) -> Any:
        try:
            return do()
        finally:
            connections[self.alias].close()

    def test_async_twins(self, store: BaseStore, pk: str) -> None:
        """S6: so do they, all in the one thread that asgiref keeps for every event loop."""
        super().test_async_twins(store, pk)

        def close() -> bool:
            is_open = connections[self.alias].connection is not None
            connections[self.alias].close()
            return is_open

        assert asyncio.run(sync_to_async(close)())


class TestDatabaseOnSQLite(DatabaseConformance):
    """S6 through the ORM on SQLite."""

    increments = 2  # SQLite's lock has no queue

    @pytest.fixture
    def alias(self, sqlite_alias: str) -> str:
        return sqlite_alias


class TestDatabaseOnPostgreSQL(DatabaseConformance):
    """S6 through the ORM on PostgreSQL."""

    @pytest.fixture
    def alias(self, postgres_alias: str) -> str:
        return postgres_alias


class TestDatabaseOnMariaDB(DatabaseConformance):
    """S6 through the ORM on MariaDB."""

    @pytest.fixture
    def alias(self, mariadb_alias: str) -> str:
        return mariadb_alias


# Sessions of boto3 take a tenth of a second to make, so all tests share one.


@pytest.fixture(scope="session")
def store_on_moto(moto_store: dict[str, Any]) -> Iterator[BaseStore]:
    store = build("tested", moto_store)
    yield store
    store.close()


@pytest.fixture(scope="session")
def store_on_dynalite(dynalite_store: dict[str, Any]) -> Iterator[BaseStore]:
    store = build("tested", dynalite_store)
    yield store
    store.close()


class TestDynamoDBOnMoto(StoreConformance):
    """S6 on DynamoDB as moto plays it."""

    increments = 2

    @pytest.fixture
    def store(self, store_on_moto: BaseStore) -> BaseStore:
        return store_on_moto


class TestDynamoDBOnDynalite(StoreConformance):
    """S6 on DynamoDB as dynalite plays it."""

    increments = 2

    @pytest.fixture
    def store(self, store_on_dynalite: BaseStore) -> BaseStore:
        return store_on_dynalite
