"""Stores on this machine, each beside what its storage costs without one."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from benchmarks import settings
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, timed
from benchmarks.timing import Block, calls, interleaved
from cacheback_app.stores import (
    BaseStore,
    LocalFileStore,
    LocalMemoryStore,
    SQLAlchemyStore,
    SQLiteStore,
)

PK, SK = "collector", "cursor"
OLD, NEW = "a" * 200, "b" * 200
"""Small values, as cursors are. Every write changes what is stored, as real ones do."""

Swap = Callable[[str, str], object]
"""Writes its second argument in the place of the first."""


def run(environment: Environment) -> Iterator[Row]:
    yield from memory()
    yield from files(settings.FOLDER / "files")
    yield from sqlite(settings.FOLDER / "stores.sqlite3")
    yield from sqlalchemy(settings.FOLDER / "alchemy.sqlite3")


def memory() -> Iterator[Row]:
    store, data, lock = LocalMemoryStore(), {(PK, SK): OLD}, threading.Lock()
    store.set(PK, SK, OLD)

    def put(old: str, new: str) -> None:
        with lock:
            data[PK, SK] = new

    def get() -> str:
        with lock:
            return data[PK, SK]

    floor = "dict with a lock"
    yield row(f"LocalMemoryStore.get / {floor}", calls("f()", f=get), reading(store), 5000, 6)
    yield row(f"LocalMemoryStore.set / {floor}", writing(put), setting(store), 5000, 6)


def files(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    path, new_path = folder / "value", folder / "value.new"
    fast = LocalFileStore(folder / "fast", durable=False)
    durable = LocalFileStore(folder / "durable")
    for store in (fast, durable):
        store.set(PK, SK, OLD)

    def get() -> str:
        with open(path) as file:
            return file.read()

    def put(old: str, new: str) -> None:
        with open(new_path, "w") as file:
            file.write(new)
        os.replace(new_path, path)

    def put_durably(old: str, new: str) -> None:
        with open(new_path, "w") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new_path, path)

    put(OLD, OLD)
    yield row("LocalFileStore.get / read", calls("f()", f=get), reading(fast), 200, 1.6)
    for name, store, floor in (
        ("durable=False / write, rename", fast, put),
        ("durable=True / write, fsync, rename", durable, put_durably),
    ):
        number = 50 if store is fast else 10
        title = f"LocalFileStore, {name}"
        yield row(f"set, {title}", writing(floor), setting(store), number, 1.6)
        yield row(f"compare-and-set, {title}", writing(floor), swapping(store), number, 1.6)


def sqlite(path: Path) -> Iterator[Row]:
    store = SQLiteStore(path, durable=False)
    store.set(PK, SK, OLD)
    with closing(store), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        select = "SELECT value FROM entries WHERE pk = ? AND sk = ?"
        insert = """
            INSERT INTO entries (pk, sk, value, expires) VALUES (?, ?, ?, NULL)
            ON CONFLICT (pk, sk) DO UPDATE SET value = excluded.value, expires = excluded.expires
        """
        update = "UPDATE entries SET value = ? WHERE pk = ? AND sk = ? AND value = ?"

        def get() -> object:
            return connection.execute(select, (PK, SK)).fetchone()

        def put(old: str, new: str) -> None:
            connection.execute(insert, (PK, SK, new))

        def swap(old: str, new: str) -> None:
            connection.execute(update, (new, PK, SK, old))

        floor = "one statement, WAL, synchronous=NORMAL"
        title = f"SQLiteStore, durable=False / {floor}"
        yield row(f"get, {title}", calls("f()", f=get), reading(store), 500, 1.6)
        yield row(f"set, {title}", writing(put), setting(store), 100, 1.6)
        yield row(f"compare-and-set, {title}", writing(swap), swapping(store), 100, 1.6)


def sqlalchemy(path: Path) -> Iterator[Row]:
    with closing(sqlite3.connect(path)) as first:
        first.execute("PRAGMA journal_mode = WAL")
    url = f"sqlite:///{path}"
    store = SQLAlchemyStore(url)
    store.set(PK, SK, OLD)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    keys = [sa.Column(name, sa.String, primary_key=True) for name in ("pk", "sk")]
    table = sa.Table("plain", sa.MetaData(), *keys, sa.Column("value", sa.LargeBinary))
    this = sa.and_(table.c.pk == sa.bindparam("this_pk"), table.c.sk == sa.bindparam("this_sk"))
    select = sa.select(table.c.value).where(this)
    update = sa.update(table).where(this).values(value=sa.bindparam("new"))
    swap_update = update.where(table.c.value == sa.bindparam("old"))
    arguments = {"this_pk": PK, "this_sk": SK}
    with closing(store), engine.connect() as connection:
        table.create(connection)
        connection.execute(table.insert(), {"pk": PK, "sk": SK, "value": OLD.encode()})

        def get() -> object:
            return connection.execute(select, arguments).scalar_one()

        def put(old: str, new: str) -> None:
            connection.execute(update, {**arguments, "new": new.encode()})

        def swap(old: str, new: str) -> None:
            connection.execute(swap_update, {**arguments, "new": new.encode(), "old": old.encode()})

        title = "SQLAlchemyStore on SQLite / one statement, one connection"
        yield row(f"get, {title}", calls("f()", f=get), reading(store), 100, 1.5)
        yield row(f"set, {title}", writing(put), setting(store), 10, 1.5)
        yield row(f"compare-and-set, {title}", writing(swap), swapping(store), 10, 1.5)
    engine.dispose()


def row(operation: str, floor: Block, ours: Block, number: int, limit: float) -> Row:
    samples = interleaved({FLOOR: floor, OURS: ours}, number=number, rounds=100)
    return timed(operation, samples, limit)


def reading(store: BaseStore) -> Block:
    return calls("store.get(pk, sk)", store=store, pk=PK, sk=SK)


def setting(store: BaseStore) -> Block:
    return writing(lambda old, new: store.set(PK, SK, new))


def swapping(store: BaseStore) -> Block:
    store.set(PK, SK, OLD)
    return writing(lambda old, new: store.set(PK, SK, new, constraint=old))


def writing(swap: Swap) -> Block:
    """Return a block that writes the two values by turns."""
    turns = [(OLD, NEW), (NEW, OLD)]

    def write() -> None:
        swap(*turns[0])
        turns.reverse()

    return calls("write()", write=write)
