"""The facts of the seed document, records-api.txt, that no other test has."""

import gc
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import time_machine
from sqlalchemy.orm import Session

from cacheback_app.records import JSONCache, JSONSession, MissingParentError, SqliteCache
from tests.records.conftest import close
from tests.records.models import Tracker, endpoint_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("expire", [10, timedelta(seconds=10), "10 seconds"])
def test_a_session_loads_what_is_young_enough(tmp_path: Path, expire: Any) -> None:
    """JSONSession.load: "Invalidates any entries older than expire argument"."""
    cache: JSONCache[Tracker] = JSONCache(tmp_path, None, endpoint_of(Tracker))
    session: JSONSession[Tracker] = JSONSession(model=Tracker)
    with time_machine.travel(NOON, tick=False) as clock:
        cache.add_entry(Tracker(1))
        clock.shift(10)
        cache.add_entry(Tracker(2))
        session.load(cache.cache_path, expire)
        assert session.data == [Tracker(2)]
        session.load(cache.cache_path)
        assert session.data == cache.load_cache() == [Tracker(1), Tracker(2)]


def test_the_attributes_of_a_sqlite_cache(tmp_path: Path) -> None:
    """SqliteCache: "database", "metadata" and "session" are SQLAlchemy's."""
    cache: SqliteCache[Tracker] = SqliteCache(tmp_path)
    with pytest.raises(MissingParentError):
        _ = cache.metadata
    cache.parent = endpoint_of(Tracker)
    cache.add_entry(Tracker(1, "a"), Tracker(2, "b"))
    assert isinstance(cache.database, sqlalchemy.Engine)
    assert sqlalchemy.inspect(cache.database).has_table("tracker")
    assert isinstance(cache.session, Session) and cache.session is cache.session
    table = cache.metadata.tables["tracker"]
    assert cache.session.scalars(sqlalchemy.select(table.c._key)).all() == [1, 2]
    close(cache)


def test_a_sqlite_cache_disconnects(tmp_path: Path) -> None:
    """SqliteCache: "Disconnects database on deletion"."""
    cache: SqliteCache[Tracker] = SqliteCache(tmp_path, None, endpoint_of(Tracker))
    cache.add_entry(Tracker(1))
    used = cache._connections.use(lambda connection: connection.connection.dbapi_connection)
    pooled = cache.engine.raw_connection()
    connections: list[Any] = [used, pooled.dbapi_connection]
    pooled.close()
    del cache, pooled
    gc.collect()
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
