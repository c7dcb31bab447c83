"""Records, beside what files, SQLite and pydantic cost without a cache, and the ancestor."""

import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import TypeAdapter

from benchmarks import settings
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, TOGGL, Row, duration, plain, timed
from benchmarks.timing import Block, calls, interleaved
from cacheback_app.records import Comparison, Indexed, JSONCache, Query, SqliteCache

DURABLE_ADD = 0.3e-3
"""Seconds of a durable add to a JSON cache, of any size."""


@dataclass
class Tracker:
    id: int
    name: Annotated[str, Indexed()]
    start: Annotated[datetime, Indexed()]
    seconds: int = 0
    tags: list[str] = field(default_factory=list)


PARENT: Any = SimpleNamespace(MODEL=Tracker)
ADAPTER = TypeAdapter(list[Tracker])
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MANY, BULK = 10_000, 5_000


def trackers(count: int, first: int = 0) -> list[Tracker]:
    return [
        Tracker(n, f"name {n % 100}", NEW_YEAR + timedelta(minutes=n), n, ["a", "b"])
        for n in range(first, first + count)
    ]


def run(environment: Environment) -> Iterator[Row]:
    folder = settings.FOLDER / "records"
    folder.mkdir()
    for size in (100, 1_000, 5_000):
        yield json_add(folder, size)
    yield sqlite_add(folder)
    yield sqlite_bulk(folder)
    yield json_find(folder)
    yield sqlite_find(folder)
    yield from sqlite_queries(folder)
    yield json_load(folder)


def json_add(folder: Path, size: int) -> Row:
    cache = JSONCache[Tracker](folder / f"json{size}", None, PARENT)
    cache.add_entry(*trackers(size))
    new = iter(trackers(100_000, size))
    path = folder / f"appended{size}"
    line = b"x" * 250
    with open(path, "ab", buffering=0) as file:

        def append() -> None:
            file.write(line)
            os.fdatasync(file.fileno())

        blocks = {
            FLOOR: calls("f()", f=append),
            OURS: calls("add(next(new))", add=cache.add_entry, new=new),
            **ancestor_add(folder, size),
        }
        samples = interleaved(blocks, number=3, rounds=60)
    values = {name: sample.median for name, sample in samples.items()}
    name = f"JSONCache, one durable add at {size:,} / append and fdatasync"
    return plain(name, values, limit=DURABLE_ADD, show=duration)


def ancestor_add(folder: Path, size: int) -> dict[str, Block]:
    """Return a block that adds to the ancestor's cache, where it is installed."""
    try:
        from toggl_api import TogglTag
        from toggl_api.meta.cache import JSONCache as Theirs
    except ImportError:
        return {}
    cache: Any = Theirs(folder / f"ancestor{size}", None, SimpleNamespace(MODEL=TogglTag))
    cache.session.data = [TogglTag(n, f"name {n % 100}", workspace=1) for n in range(size)]
    cache.commit()
    numbers = itertools.count(size)

    def add() -> None:
        cache.add(TogglTag(next(numbers), "name", workspace=1))
        cache.commit()

    return {TOGGL: calls("f()", f=add)}


def raw(folder: Path, name: str) -> sqlite3.Connection:
    """Return a connection to a table of trackers as one would write it by hand."""
    connection = sqlite3.connect(folder / name, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE tracker (id INTEGER PRIMARY KEY, saved_at REAL, name TEXT,"
        " start INTEGER, seconds INTEGER, tags TEXT, record TEXT)"
    )
    connection.execute("CREATE INDEX by_name ON tracker (name)")
    connection.execute("CREATE INDEX by_start ON tracker (start)")
    return connection


PUT = "INSERT OR REPLACE INTO tracker VALUES (?, ?, ?, ?, ?, ?, ?)"


def rows(records: list[Tracker]) -> list[tuple[Any, ...]]:
    return [
        (
            one.id,
            0.0,
            one.name,
            int(one.start.timestamp()),
            one.seconds,
            '["a","b"]',
            TypeAdapter(Tracker).dump_json(one).decode(),
        )
        for one in records
    ]


def sqlite_add(folder: Path) -> Row:
    cache = SqliteCache[Tracker](folder / "add", None, PARENT)
    cache.add_entry(*trackers(1000))
    new = iter(trackers(100_000, 1000))
    with closing(raw(folder, "add.sqlite")) as connection:
        connection.executemany(PUT, rows(trackers(1000)))
        raw_new = iter(rows(trackers(5_000, 1000)))
        blocks = {
            FLOOR: calls("f(put, next(new))", f=connection.execute, put=PUT, new=raw_new),
            OURS: calls("add(next(new))", add=cache.add_entry, new=new),
        }
        samples = interleaved(blocks, number=5, rounds=100)
    cache.close()
    return timed("SqliteCache, one durable add / raw insert, WAL", samples, 6)


def sqlite_bulk(folder: Path) -> Row:
    records = trackers(BULK)
    raw_rows = rows(records)
    cache = SqliteCache[Tracker](folder / "bulk", None, PARENT)
    with closing(raw(folder, "bulk.sqlite")) as connection:

        def put() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(PUT, raw_rows)
            connection.execute("COMMIT")

        def empty() -> None:
            connection.execute("DELETE FROM tracker")
            cache.delete_entry(*records)

        blocks = {
            FLOOR: calls("f()", f=put),
            OURS: calls("f(*records)", f=cache.add_entry, records=records),
        }
        samples = interleaved(blocks, number=1, rounds=20, between=empty)
    cache.close()
    return timed(f"SqliteCache, add {BULK:,} at once / raw executemany", samples, 3)


def json_find(folder: Path) -> Row:
    cache = JSONCache[Tracker](folder / "find", None, PARENT)
    cache.add_entry(*trackers(MANY))
    text = cache.schema.encode(Tracker(1, "name", NEW_YEAR))
    blocks = {
        FLOOR: calls("f(text)", f=TypeAdapter(Tracker).validate_json, text=text),
        OURS: calls("f({'id': 5000})", f=cache.find_entry),
    }
    samples = interleaved(blocks, number=2000, rounds=40)
    values = {name: min(sample.seconds) for name, sample in samples.items()}
    name = f"JSONCache, find by id at {MANY:,} / pydantic alone (least)"
    return plain(name, values, limit=5e-6, show=duration)


def sqlite_find(folder: Path) -> Row:
    cache = SqliteCache[Tracker](folder / "sqlite_find", None, PARENT)
    cache.add_entry(*trackers(MANY))
    with closing(raw(folder, "find.sqlite")) as connection:
        connection.executemany(PUT, rows(trackers(MANY)))
        select = "SELECT record FROM tracker WHERE id = ? AND saved_at > ?"
        get = calls("f(select, (5000, -1.0)).fetchone()", f=connection.execute, select=select)
        blocks = {FLOOR: get, OURS: calls("f({'id': 5000})", f=cache.find_entry)}
        samples = interleaved(blocks, number=500, rounds=60)
    cache.close()
    return timed(f"SqliteCache, find by id at {MANY:,} / raw select", samples, 5)


def sqlite_queries(folder: Path) -> Iterator[Row]:
    cache = SqliteCache[Tracker](folder / "query", None, PARENT)
    cache.add_entry(*trackers(MANY))
    day = NEW_YEAR + timedelta(days=6)
    equal = Query("name", "name 7")
    after = Query("start", day, Comparison.GREATER_THAN_OR_EQUAL)
    with closing(raw(folder, "query.sqlite")) as connection:
        connection.executemany(PUT, rows(trackers(MANY)))
        select = "SELECT * FROM tracker WHERE saved_at > -1 AND "
        raw_queries: list[tuple[str, str, Any, Query[Any]]] = [
            ("equality", "name = ?", "name 7", equal),
            ("range", "start >= ?", int(day.timestamp()), after),
        ]
        for name, where, value, query in raw_queries:
            statement = f"{select}{where} ORDER BY id"

            def fetch(statement: str = statement, value: Any = value) -> list[Any]:
                return connection.execute(statement, (value,)).fetchall()

            def find(query: Query[Any] = query) -> list[Tracker]:
                return list(cache.query(query))

            assert len(fetch()) == len(find()) > 0
            count = len(find())
            blocks = {FLOOR: calls("f()", f=fetch), OURS: calls("f()", f=find)}
            samples = interleaved(blocks, number=5, rounds=60)
            yield timed(
                f"SqliteCache, {name} at {MANY:,}, {count:,} found / raw select", samples, 3
            )
    cache.close()


def json_load(folder: Path) -> Row:
    source = folder / "load"
    JSONCache[Tracker](source, None, PARENT).add_entry(*trackers(MANY))
    content = folder / "load.json"
    content.write_bytes(ADAPTER.dump_json(trackers(MANY)))

    def read() -> list[Tracker]:
        return ADAPTER.validate_json(content.read_bytes())

    def load() -> list[Tracker]:
        return JSONCache[Tracker](source, None, PARENT).load_cache()

    assert read() == load()
    blocks = {FLOOR: calls("f()", f=read), OURS: calls("f()", f=load)}
    samples = interleaved(blocks, number=1, rounds=30)
    return timed(f"JSONCache, load {MANY:,} / read and validate with pydantic", samples, 3)
