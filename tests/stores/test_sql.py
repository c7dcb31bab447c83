"""SQLiteStore, SQLAlchemyStore and DatabaseStore: statements, tables, transactions."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext

from cacheback_app.stores import (
    AccessException,
    DatabaseStore,
    DataFormatException,
    NotFoundException,
    SQLAlchemyStore,
    SQLiteStore,
)
from cacheback_app.stores.handler import build
from cacheback_app.stores.idle import IdleConnections
from tests import services, store_fixtures
from tests.addresses import Site
from tests.stores.in_other_processes import fork_while_writing

SITE = Site(cache="", backend="locmem")


@pytest.fixture
def sqlite_store(folder: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(folder / "store.sqlite3")
    yield store
    store.close()


def test_sqlite_reading_creates_nothing(folder: Path, sqlite_store: SQLiteStore) -> None:
    """Reading or deleting what is missing makes neither file nor folder."""
    with pytest.raises(NotFoundException):
        sqlite_store.get("pk", "sk")
    sqlite_store.delete("pk", "sk")
    assert sqlite_store.delete_expired() == 0
    assert not folder.parent.exists()


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_sqlite_durability(folder: Path, durable: bool, synchronous: int) -> None:
    """S4: a durable store syncs at each commit (FULL), another at checkpoints (NORMAL)."""
    store = SQLiteStore(folder / "store.sqlite3", durable=durable)
    store.set("pk", "sk", "value")
    found = store._connections.use(_pragmas)
    assert found == ("wal", synchronous)
    store.close()


def _pragmas(connection: sqlite3.Connection) -> tuple[str, int]:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    return mode, synchronous


def test_sqlite_not_a_database(folder: Path, sqlite_store: SQLiteStore) -> None:
    """S1: a file that is no database is an AccessException."""
    folder.mkdir(parents=True)
    (folder / "store.sqlite3").write_text("a diary, long enough to be looked at" * 100)
    with pytest.raises(AccessException):
        sqlite_store.get("pk", "sk")
    with pytest.raises(AccessException):
        sqlite_store.set("pk", "sk", "value")


def test_sqlite_is_busy(folder: Path) -> None:
    """S1: a writer that waited in vain for another process gets an AccessException."""
    store = SQLiteStore(folder / "store.sqlite3", timeout=0.05)
    store.set("pk", "sk", "value")
    with closing(sqlite3.connect(folder / "store.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AccessException):
            store.set("pk", "sk", "new")
        assert store.get("pk", "sk") == "value"
        other.execute("ROLLBACK")
    store.set("pk", "sk", "new")
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_sqlite_after_fork(
    folder: Path, sqlite_store: SQLiteStore, processes: services.Processes
) -> None:
    """A forked child opens connections of its own, and is not held up by a parent's lock."""
    call = processes.start(SITE, fork_while_writing, str(folder / "store.sqlite3"))
    assert call.result() == "other connections"
    assert sqlite_store.get("pk", "sk") == "of the child"


def test_idle_connections() -> None:
    """A connection is used again until it was idle for too long, or something raised."""

    class Connection:
        is_open = True

        def close(self) -> None:
            self.is_open = False

    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection())
        return made[-1]

    pool = IdleConnections(connect)
    assert pool.use(lambda one: one) is pool.use(lambda one: one)
    assert pool.use(lambda one: pool.use(lambda other: one is not other))
    with pytest.raises(ZeroDivisionError):
        pool.use(lambda one: 1 / 0)
    assert not pool and [one.is_open for one in made] == [False, False]
    pool.use(lambda one: None)
    pool.close()
    assert [one.is_open for one in made] == [False, False, False]

    hasty = IdleConnections(connect, trust=0.0)
    hasty.use(lambda one: None)
    hasty.use(lambda one: None)
    assert [one.is_open for one in made[3:]] == [False, True]


def test_sqlalchemy_tables(tmp_path: Path) -> None:
    """Stores of two tables in one database share no entries."""
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    one, two = SQLAlchemyStore(url), SQLAlchemyStore(url, table="other")
    one.set("pk", "sk", "one")
    two.set("pk", "sk", "two", not_set=True)
    assert (one.get("pk", "sk"), two.get("pk", "sk")) == ("one", "two")
    for store in (one, two):
        store.close()


@pytest.mark.parametrize("server", ["session_postgres", "session_mariadb"])
def test_sqlalchemy_makes_its_table_once(request: pytest.FixtureRequest, server: str) -> None:
    """Several stores that make the same table at once get along."""
    definition = store_fixtures.sqlalchemy(request.getfixturevalue(server))
    definition["OPTIONS"]["table"] = "race"
    stores = [build("x", definition) for _ in range(8)]
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(stores))

    def use(number: int) -> None:
        barrier.wait(10)
        try:
            stores[number].set("pk", str(number), "value")
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert stores[0].get("pk", "7") == "value"
    for store in stores:
        store.close()


@pytest.mark.parametrize("server", ["session_postgres", "session_mariadb"])
def test_sqlalchemy_lost_connection(request: pytest.FixtureRequest, server: str) -> None:
    """S1: a connection that the server ended is one AccessException, and then a new one."""
    store = build("x", store_fixtures.sqlalchemy(request.getfixturevalue(server)))
    assert isinstance(store, SQLAlchemyStore)
    store.set("pk", server, "value")
    store._connections.use(_hang_up)
    with pytest.raises(AccessException):
        store.get("pk", server)
    assert store.get("pk", server) == "value"
    store.close()


def _hang_up(connection: Any) -> None:
    from sqlalchemy import text

    is_postgres = connection.dialect.name == "postgresql"
    own = "pg_backend_pid()" if is_postgres else "connection_id()"
    pid = connection.execute(text(f"SELECT {own}")).scalar_one()
    kill = f"SELECT pg_terminate_backend({pid})" if is_postgres else f"KILL {pid}"
    with connection.engine.connect() as other:
        other.execute(text(kill))


@pytest.fixture(params=["sqlite_alias", "postgres_alias", "mariadb_alias"])
def alias(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[str]:
    alias: str = request.getfixturevalue(request.param)
    with django_db_blocker.unblock():
        yield alias
        DatabaseStore(alias).delete("pk", "sk")
        connections[alias].close()


def test_database_queries(alias: str) -> None:
    """S2: compare-and-set, and a write of what is there, are one statement each; so is a read."""
    store = DatabaseStore(alias)
    store.set("pk", "sk", "one")

    def count(do: Any) -> int:
        with CaptureQueriesContext(connections[alias]) as queries:
            do()
        return len(queries)

    assert count(lambda: store.get("pk", "sk")) == 1
    assert count(lambda: store.set("pk", "sk", "two")) == 1
    assert count(lambda: store.set("pk", "sk", "three", constraint="two")) == 1


@pytest.mark.parametrize("expire", [None, 0.001])
def test_database_deletes_in_one_step(alias: str, expire: float | None) -> None:
    """S2: looking and deleting are one statement, also where somebody listens to all models: what
    is written at the last moment is not deleted."""
    store = DatabaseStore(alias)
    store.set("pk", "sk", "one", expire=expire)
    time.sleep(0.002)
    written: list[str] = []

    def write(**kwargs: Any) -> None:
        store.set("pk", "sk", "two")
        written.append("two")

    pre_delete.connect(write)
    try:
        if expire is None:
            store.delete("pk", "sk", constraint="one")
        else:
            assert store.delete_expired() >= 1
    finally:
        pre_delete.disconnect(write)
    assert store._entry("pk", "sk").count() == len(written)


def test_database_namespaces(alias: str) -> None:
    """Stores of two namespaces share the table and no entries."""
    one, two = DatabaseStore(alias, namespace="one"), DatabaseStore(alias, namespace="two")
    one.set("pk", "sk", "one")
    two.set("pk", "sk", "two", not_set=True)
    assert (one.get("pk", "sk"), two.get("pk", "sk")) == ("one", "two")
    with pytest.raises(NotFoundException):
        DatabaseStore(alias).get("pk", "sk")
    for store in (one, two):
        store.delete("pk", "sk")


def test_database_in_a_transaction(alias: str) -> None:
    """A write belongs to the transaction around it, and an unmet condition does not break that."""
    store = DatabaseStore(alias)
    with transaction.atomic(using=alias):
        store.set("pk", "sk", "value", not_set=True)
        with pytest.raises(DataFormatException):
            store.set("pk", "sk", "new", not_set=True)
        with pytest.raises(DataFormatException):
            store.set("pk", "sk", "new", constraint="other")
        assert store.get("pk", "sk") == "value"
        transaction.set_rollback(True, using=alias)
    with pytest.raises(NotFoundException):
        store.get("pk", "sk")


def test_database_item(alias: str) -> None:
    """An item shows its keys, as far as they are text."""
    from cacheback_app.models import StoreItem

    DatabaseStore(alias).set("pk", "sk", "value")
    assert str(StoreItem.objects.using(alias).get(partition_key=b"pk")) == "pk / sk"


def test_database_holds_no_text(alias: str) -> None:
    """S1: an entry that is no text, of somebody else's making, is an AccessException."""
    from cacheback_app.models import StoreItem

    store = DatabaseStore(alias)
    store.set("pk", "sk", "value")
    StoreItem.objects.using(alias).filter(key=store._key("pk", "sk")).update(value=b"\xff")
    with pytest.raises(AccessException):
        store.get("pk", "sk")


def test_sqlalchemy_holds_no_text(tmp_path: Path) -> None:
    """S1: and so is one in a table of SQLAlchemy's."""
    from sqlalchemy import text

    store = SQLAlchemyStore(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    store.set("pk", "sk", "value")
    store._connections.use(
        lambda connection: connection.execute(text("UPDATE cacheback_store SET value = x'ff'"))
    )
    with pytest.raises(AccessException):
        store.get("pk", "sk")
    store.close()


def test_database_error(settings: Any, django_db_blocker: Any, tmp_path: Path) -> None:
    """S1: an error of the database (here: there is no table) is an AccessException."""
    url = f"sqlite://{tmp_path / 'empty.sqlite3'}"
    with store_fixtures.added_database("empty", url), django_db_blocker.unblock():
        store = DatabaseStore("empty")
        for call in (
            lambda: store.get("pk", "sk"),
            lambda: store.set("pk", "sk", "value", not_set=True),
            lambda: store.delete("pk", "sk"),
            store.delete_expired,
        ):
            with pytest.raises(AccessException):
                call()
