"""Any database that SQLAlchemy knows, if it can compare binary columns (Oracle can't)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cacheback_app.engine.forks import watch
from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore
from .idle import IdleConnections
from .keys import digest

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Executable


class SQLAlchemyStore(CheckedStore):
    """Keeps entries in a table of their own, which is made when it is missing.

    Keys and values are binary columns: those hold NUL on PostgreSQL, and are compared
    byte by byte on MariaDB, where text is equal in any case and with any spaces after it.

    :param url: a database URL of SQLAlchemy's.
    :param table: the table's name.
    :param engine_options: more for ``sqlalchemy.create_engine``, such as ``connect_args``.
    """

    def __init__(
        self,
        url: str,
        *,
        table: str = "cacheback_store",
        engine_options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            import sqlalchemy
        except ImportError as exc:
            raise ConfigurationException(
                "SQLAlchemyStore needs SQLAlchemy: pip install cacheback-app[sqlalchemy]"
            ) from exc
        self.driver_errors = (sqlalchemy.exc.SQLAlchemyError,)
        self._integrity_error = sqlalchemy.exc.IntegrityError
        try:
            self._engine = sqlalchemy.create_engine(
                url,
                **{
                    # Every write is one statement. Connections are kept here.
                    "isolation_level": "AUTOCOMMIT",
                    "poolclass": sqlalchemy.pool.NullPool,
                    **(engine_options or {}),
                },
            )
        except sqlalchemy.exc.ArgumentError as exc:  # which may quote the URL, with its password
            raise ConfigurationException("the option 'url' is not a database URL") from exc
        except (ImportError, TypeError) as exc:
            raise ConfigurationException(f"no engine for this url: {exc}") from exc
        self._statements = _Statements(table)
        # A minute is less than any server keeps a silent connection.
        self._connections = IdleConnections(self._connect, trust=60.0)
        self._has_table = False
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._making_table = threading.Lock()

    def close(self) -> None:
        self._connections.close()

    def _get(self, pk: str, sk: str) -> str | None:
        arguments = {"this": digest(pk, sk), "now": time.time()}
        get = self._statements.get
        found = self._connections.use(
            lambda connection: connection.execute(get, arguments).scalar_one_or_none()
        )
        return None if found is None else bytes(found).decode()

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
        key = {"this": digest(pk, sk)}
        entry = {"to": value.encode(), "ends": None if lifetime is None else now + lifetime}
        statements = self._statements
        if constraint is not None:
            condition = {"constraint": constraint.encode(), "now": now}
            return self._changes(statements.swap, {**key, **entry, **condition})
        new = {**key, **entry, "partition": pk.encode(), "sort": sk.encode()}
        if not_set:
            # Two statements: an upsert can't tell on MariaDB what it did. Between them the key
            # may be taken by another writer, which the second one then finds.
            return self._changes(statements.take_over, {**key, **entry, "now": now}) or self._adds(
                new
            )
        while not self._changes(statements.replace, {**key, **entry}):
            if self._adds(new):
                break
        return True

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        key = {"this": digest(pk, sk)}
        if constraint is None:
            return self._changes(self._statements.delete, key)
        condition = {"constraint": constraint.encode(), "now": time.time()}
        return self._changes(self._statements.delete_if, {**key, **condition})

    def _delete_expired(self) -> int:
        return self._execute(self._statements.prune, {"now": time.time()})

    def _changes(self, statement: Executable, arguments: Mapping[str, Any]) -> bool:
        return self._execute(statement, arguments) == 1

    def _execute(self, statement: Executable, arguments: Mapping[str, Any]) -> int:
        return self._connections.use(
            lambda connection: connection.execute(statement, arguments).rowcount
        )

    def _adds(self, arguments: Mapping[str, Any]) -> bool:
        """Insert an entry; return False when there is one."""

        def add(connection: Connection) -> bool:
            try:
                connection.execute(self._statements.add, arguments)
            except self._integrity_error:
                return False
            return True

        return self._connections.use(add)

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        if not self._has_table:
            try:
                with self._making_table:
                    self._statements.make_table(connection)
                self._has_table = True
            except BaseException:
                connection.close()
                raise
        return connection


class _Statements:
    """The table, and what is done with it. Each is built once, and so compiled once."""

    def __init__(self, name: str) -> None:
        import sqlalchemy as sa

        # MySQL makes a BLOB of 64 KB unless it is told that it may become longer.
        binary = sa.LargeBinary(2**32 - 1)
        self.table = sa.Table(
            name,
            sa.MetaData(),
            sa.Column("key", sa.String(64), primary_key=True),
            sa.Column("partition_key", binary, nullable=False),
            sa.Column("sort_key", binary, nullable=False),
            sa.Column("value", binary, nullable=False),
            sa.Column("expires", sa.Double),
        )
        columns, given = self.table.c, sa.bindparam
        this = columns.key == given("this")
        live = sa.or_(columns.expires.is_(None), columns.expires > given("now"))
        expired = columns.expires <= given("now")
        holds = sa.and_(this, columns.value == given("constraint", type_=binary), live)
        entry: dict[str, Any] = {"value": given("to"), "expires": given("ends")}

        def update(where: ColumnElement[bool]) -> Executable:
            return sa.update(self.table).where(where).values(entry)

        self.get = sa.select(columns.value).where(this, live)
        self.replace = update(this)
        self.take_over = update(sa.and_(this, expired))
        self.swap = update(holds)
        keys: dict[str, Any] = {"partition_key": given("partition"), "sort_key": given("sort")}
        self.add = sa.insert(self.table).values({"key": given("this"), **keys, **entry})
        self.delete = sa.delete(self.table).where(this)
        self.delete_if = sa.delete(self.table).where(holds)
        self.prune = sa.delete(self.table).where(expired)

    def make_table(self, connection: Connection) -> None:
        import sqlalchemy as sa

        try:
            self.table.create(connection, checkfirst=True)
        except sa.exc.SQLAlchemyError:
            # Another process may have made it just now, as no database can check and make in one.
            connection.rollback()
            if not sa.inspect(connection).has_table(self.table.name):
                raise
