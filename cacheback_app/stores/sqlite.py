"""One SQLite file, which the processes of one machine share."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

from cacheback_app.engine.forks import watch
from cacheback_app.engine.sqlite import use_wal
from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore
from .idle import IdleConnections

_TABLE = """
    CREATE TABLE IF NOT EXISTS entries (
        pk TEXT NOT NULL, sk TEXT NOT NULL, value TEXT NOT NULL, expires REAL,
        PRIMARY KEY (pk, sk)
    ) WITHOUT ROWID
"""
_INDEX = "CREATE INDEX IF NOT EXISTS expiring ON entries (expires) WHERE expires IS NOT NULL"
_GET = """
    SELECT value FROM entries
    WHERE pk = ? AND sk = ? AND (expires IS NULL OR expires > ?)
"""
_PUT = """
    INSERT INTO entries (pk, sk, value, expires) VALUES (?, ?, ?, ?)
    ON CONFLICT (pk, sk) DO UPDATE SET value = excluded.value, expires = excluded.expires
"""
_ADD = _PUT + "WHERE entries.expires <= ?"
_SWAP = """
    UPDATE entries SET value = ?, expires = ?
    WHERE pk = ? AND sk = ? AND value = ? AND (expires IS NULL OR expires > ?)
"""
_DELETE = "DELETE FROM entries WHERE pk = ? AND sk = ?"
_DELETE_IF = _DELETE + " AND value = ? AND (expires IS NULL OR expires > ?)"
_PRUNE = "DELETE FROM entries WHERE expires <= ?"


class SQLiteStore(CheckedStore):
    """Keeps entries in the table of an SQLite file in WAL mode; a write is one statement.

    :param path: the file, made by the first write. Not on a network file system.
    :param durable: whether a write returns only when it would survive a loss of power.
    :param timeout: how many seconds a writer waits for those of other processes.
    """

    driver_errors = (sqlite3.Error, OSError)

    def __init__(self, path: str | Path, *, durable: bool = True, timeout: float = 30.0) -> None:
        if os.fspath(path) in ("", ":memory:"):
            raise ConfigurationException("SQLiteStore needs a file; LocalMemoryStore needs none")
        self._path = os.path.abspath(path)
        self._durable = durable
        self._timeout = timeout
        self._connections = IdleConnections(self._connect)
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        # Threads of one process take turns here. SQLite's own lock has no queue: who
        # waits for that sleeps for up to a tenth of a second at a time.
        self._writing = threading.Lock()

    def close(self) -> None:
        self._connections.close()

    def _get(self, pk: str, sk: str) -> str | None:
        if not self._connections and not self._exists():
            return None
        arguments = (pk, sk, time.time())
        row = self._connections.use(
            lambda connection: connection.execute(_GET, arguments).fetchone()
        )
        return None if row is None else row[0]

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        now = time.time()
        expires = None if lifetime is None else now + lifetime
        if constraint is not None:
            return self._write(_SWAP, (value, expires, pk, sk, constraint, now)) == 1
        if not_set:
            return self._write(_ADD, (pk, sk, value, expires, now)) == 1
        return self._write(_PUT, (pk, sk, value, expires)) == 1

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        if constraint is None:
            return self._remove(_DELETE, (pk, sk)) == 1
        return self._remove(_DELETE_IF, (pk, sk, constraint, time.time())) == 1

    def _delete_expired(self) -> int:
        return self._remove(_PRUNE, (time.time(),))

    def _remove(self, statement: str, arguments: tuple[str | float, ...]) -> int:
        return self._write(statement, arguments) if self._exists() else 0

    def _exists(self) -> bool:
        try:
            os.stat(self._path)
        except FileNotFoundError:
            return False
        return True

    def _write(self, statement: str, arguments: tuple[str | float | None, ...]) -> int:
        """Execute one statement, which is one transaction; return how many rows it changed."""
        with self._writing:
            return self._connections.use(
                lambda connection: connection.execute(statement, arguments).rowcount
            )

    def _connect(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        use_wal(connection, self._timeout)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        connection.execute(_TABLE)
        connection.execute(_INDEX)
