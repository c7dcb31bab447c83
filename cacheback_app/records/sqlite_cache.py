"""Records in a SQLite file."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cacheback_app.durations import Duration
from cacheback_app.engine import files
from cacheback_app.engine.forks import watch
from cacheback_app.engine.sqlite import use_wal
from cacheback_app.exceptions import UnsuitableModel
from cacheback_app.stores.idle import IdleConnections

from .answers import Change, KeptAnswer, Key
from .base import Parent, RecordCache
from .journal import logger
from .model import Schema
from .query import Query

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, PoolProxiedConnection, ScalarResult
    from sqlalchemy.orm import Session

    from .sqlite_tables import Tables

T = TypeVar("T")
R = TypeVar("R")

_TIMEOUT = 30.0
"""Seconds that a writer waits for those of other processes."""

_PRUNING = 3600.0
"""Seconds between two looks for what has been expired for too long."""


class SqliteCache(RecordCache[T]):
    """Keeps records in the tables of ``PATH/cache.sqlite``, one for each model; in WAL mode.

    What queries ask for is in columns; fields marked with :class:`Indexed` have an index.

    Connections to that file are closed at exit, and when nothing refers to the cache any more.

    :param engine: an engine of SQLAlchemy's for another SQLite database. It is used as it is, and
        has to give threads connections of their own, or one that they can share.
    :raises ValueError: when ``engine`` is one for another database.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        expire_after: Duration | None = None,
        parent: Parent | None = None,
        *,
        engine: Engine | None = None,
    ) -> None:
        try:
            import sqlalchemy
        except ImportError as exc:
            raise UnsuitableModel(
                "SqliteCache needs SQLAlchemy: pip install cacheback-app[records]"
            ) from exc
        super().__init__(path, expire_after, parent)
        if engine is not None and engine.dialect.name != "sqlite":
            raise ValueError(f"SqliteCache keeps records in SQLite, not in {engine.dialect.name}")
        self._owns_file = engine is None
        self._database_error = sqlalchemy.exc.DatabaseError
        # Transactions are begun and ended here, where it is known what they are for.
        self.engine = (engine or self._own_engine()).execution_options(isolation_level="AUTOCOMMIT")
        self._connections: IdleConnections[Connection] = IdleConnections(self.engine.connect)
        self._tables: Tables[T] | None = None
        self._next_pruning = 0.0
        self._sessions_of_parents: list[Session | None] = []
        self.after_fork()
        watch(self)
        if self._owns_file:
            weakref.finalize(self, _disconnect, self._connections, self.engine)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._writing = threading.Lock()
        # Kept, because dropping it would close what the parent uses.
        self._sessions_of_parents.append(self.__dict__.pop("session", None))
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close the connections that are not in use; the cache can still be used."""
        if "session" in self.__dict__:
            self.session.close()
        self._connections.close()
        self.engine.dispose()

    @property
    def database(self) -> Engine:
        """The engine."""
        return self.engine

    @property
    def metadata(self) -> MetaData:
        """What SQLAlchemy is told of the model's table, for statements of one's own.

        :raises MissingParentError: when there is no parent, and so no model.
        """
        return self._made(self.schema).table.metadata

    @cached_property
    def session(self) -> Session:
        """A session of SQLAlchemy's on the database, for statements of one's own in one thread."""
        from sqlalchemy.orm import Session

        return Session(self.engine)

    @property
    def cache_path(self) -> Path:
        """The database file, when the cache has no engine of somebody else's."""
        return self._folder / "cache.sqlite"

    def commit(self) -> None:
        """Do nothing: whatever changes the cache has committed it. Needs the parent, like all."""
        self.parent_exist()

    def query(self, *queries: Query[Any], distinct: bool = False) -> ScalarResult[T]:
        """Return the records that fit all queries and haven't expired, those saved last at the end.

        They are read from the database while they are iterated over, in the state of this moment.

        See RecordCache.query().
        """
        return cast("ScalarResult[T]", super().query(*queries, distinct=distinct))

    def is_failure(self, exc: Exception) -> bool:
        """Return True for a full disk, a file that can't be opened, a lock that is held, ..."""
        error = getattr(exc, "orig", exc)
        # The others (ProgrammingError, ...) are about what was asked, as SQLITE_ERROR is.
        is_state = type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError)
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return super().is_failure(exc) or (is_state and code != sqlite3.SQLITE_ERROR)

    def _load(self, schema: Schema[T], cutoff: float) -> list[T]:
        tables = self._made(schema)
        rows = self._run(lambda connection: connection.execute(tables.load, [cutoff]).fetchall())
        return list(schema.readable(text for (text,) in rows))

    def _find(self, schema: Schema[T], key: Key, cutoff: float) -> T | None:
        tables = self._made(schema)
        row = self._run(
            lambda connection: connection.execute(tables.find, (key, cutoff)).fetchone()
        )
        try:
            return None if row is None else schema.read(row[0])
        except ValueError:
            return None

    def _query(
        self, schema: Schema[T], queries: Sequence[Query[Any]], distinct: bool, cutoff: float
    ) -> ScalarResult[T]:
        from sqlalchemy.engine.result import ChunkedIteratorResult, SimpleResultMetaData

        statement, arguments = self._made(schema).select(queries, distinct, cutoff)
        # The cursor has the connection for itself, which goes back when all is read or dropped.
        found = self._careful(lambda: self._cursor(statement, arguments))
        records = schema.readable(text for (text,) in found)
        return ChunkedIteratorResult(
            SimpleResultMetaData(["record"]), lambda size: _chunks(records, size), True
        ).scalars()

    def _cursor(self, statement: str, arguments: tuple[Any, ...]) -> Iterator[tuple[str]]:
        connection = self.engine.raw_connection()
        driver = cast("sqlite3.Connection", connection.driver_connection)
        return _rows(connection, driver.execute(statement, arguments))

    def _answer(self, schema: Schema[T], signature: str) -> tuple[KeptAnswer, list[T]] | None:
        tables = self._made(schema)
        return self._run(lambda connection: tables.answer(connection, signature))

    def _write(self, change: Change[T]) -> None:
        tables = self._made(self.schema)
        # Threads of one process take turns here. SQLite's own lock has no queue: who waits for that
        # sleeps for up to a tenth of a second at a time.
        with self._writing:
            self._run(lambda connection: self._apply(tables, connection, change))

    def _apply(self, tables: Tables[T], connection: sqlite3.Connection, change: Change[T]) -> None:
        from .sqlite_tables import transaction

        is_due = time.monotonic() >= self._next_pruning
        if change.is_one_record and not is_due:  # one statement is a transaction
            tables.apply(connection, change)
            return
        with transaction(connection):
            tables.apply(connection, change)
            if is_due:
                tables.drop_older(connection, self._discarded())
        self._next_pruning = time.monotonic() + _PRUNING

    def _made(self, schema: Schema[T]) -> Tables[T]:
        """Return the model's tables, which are made when they are first asked for."""
        tables = self._tables
        if tables is None or tables.schema is not schema:
            from .sqlite_tables import Tables

            tables = Tables(schema)
            if self._owns_file and _is_cut_off(os.fspath(self.cache_path)):
                self._set_aside()
            self._run(tables.make)
            self._tables = tables
        return tables

    def _run(self, do: Callable[[sqlite3.Connection], R]) -> R:
        return self._careful(
            lambda: self._connections.use(lambda connection: do(_driver(connection)))
        )

    def _careful(self, do: Callable[[], R]) -> R:
        """Return ``do()``; tables of another version, and a broken file, are made anew."""
        try:
            return do()
        except (self._database_error, sqlite3.DatabaseError) as exc:
            error = getattr(exc, "orig", exc)
            code = getattr(error, "sqlite_errorcode", 0)
            tables = self._tables
            if code == sqlite3.SQLITE_ERROR and tables is not None:
                # Another version of the site made the table for its version of the model.
                self._connections.use(lambda connection: tables.make(_driver(connection)))
            elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and self._owns_file:
                self._set_aside()
            else:
                raise
            return do()

    def _set_aside(self) -> None:
        self.close()
        path = os.fspath(self.cache_path)
        with files.locked(f"{path}.lock"):
            if not _is_broken(path):  # any more
                return
            aside = f"{path}.broken-{time.time_ns()}"
            for suffix in ("-wal", "-shm", ""):
                if os.path.exists(path + suffix):
                    os.replace(path + suffix, aside + suffix)
        self._tables = None
        logger.warning("%s is broken; it is kept as %s", path, aside)

    def _own_engine(self) -> Engine:
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            sqlalchemy.URL.create("sqlite", database=os.path.abspath(self.cache_path)),
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": _TIMEOUT},
            max_overflow=-1,  # each result that is being read has one
        )

        @sqlalchemy.event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, record: object) -> None:
            use_wal(connection, _TIMEOUT)
            connection.execute("PRAGMA synchronous = FULL")

        return engine


def _disconnect(connections: IdleConnections[Connection], engine: Engine) -> None:
    connections.close()
    engine.dispose()


def _rows(connection: PoolProxiedConnection, rows: Iterable[R]) -> Iterator[R]:
    try:
        yield from rows
    finally:
        connection.close()


def _chunks(records: Iterator[T], size: int | None) -> Iterator[list[T]]:
    """Return records as lists of this size; all of them as one list when there is none."""
    while chunk := list(itertools.islice(records, size)):
        yield chunk


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _is_broken(path: str) -> bool:
    if _is_cut_off(path):
        return True
    connection = sqlite3.connect(path, timeout=_TIMEOUT)
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.DatabaseError as exc:
        return exc.sqlite_errorcode in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    finally:
        connection.close()


def _is_cut_off(path: str) -> bool:
    """Return whether a file is shorter than it says; SQLite would read zeros for the rest."""
    try:
        with open(path, "rb") as file:
            header, size = file.read(100), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False
    if len(header) < 100:
        return bool(header)
    # See "The Database Header" in SQLite's description of its file format. Who copies the log into
    # the file writes the header first.
    page_size = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    is_short = size < pages * (65_536 if page_size == 1 else page_size)
    return is_short and header.startswith(b"SQLite format 3") and not os.path.exists(f"{path}-wal")
