"""The tables of a SQLite cache.

Each model has one, with a row for each record: its key, when it was saved, the record as JSON, and
a column for each field that queries can ask for, in the form that :mod:`.forms` describes. Rows
are numbered in the order in which they were saved.

Names of tables and columns are quoted; values are arguments of statements.
"""

# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from cacheback_app.exceptions import UnstorableValue

from .answers import Change, KeptAnswer
from .columns import column_forms, list_forms
from .forms import Form
from .journal import logger
from .model import Encoded, Schema
from .query import Query
from .sqlite_conditions import Condition, condition

T = TypeVar("T")

_FORMAT = "3"
_DIALECT = sqlite.dialect()

_MODELS = """
    CREATE TABLE IF NOT EXISTS "_models" (name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL)
"""
_ANSWERS = """
    CREATE TABLE IF NOT EXISTS "_kept_answers" (
        model TEXT NOT NULL, signature TEXT NOT NULL, keys TEXT NOT NULL, shape TEXT NOT NULL,
        saved_at REAL NOT NULL, etag TEXT, last_modified TEXT, is_outdated INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        PRIMARY KEY (model, signature)
    )
"""


class _Ordered(sa.types.UserDefinedType[Any]):
    """Numbers and text, each as they are."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        return "ANY"


class Tables(Generic[T]):
    """The table of a model, and what is done with it.

    Statements that are executed often are compiled once, here.
    """

    def __init__(self, schema: Schema[T]) -> None:
        self.schema = schema
        self.columns = _columns(schema)
        others = [field for field in schema.fields.values() if field.name != "id"]
        self.table = sa.Table(
            schema.name,
            sa.MetaData(),
            sa.Column("_number", sa.Integer, primary_key=True),
            sa.Column("_key", _Ordered, unique=True, nullable=False),
            sa.Column("_saved_at", sa.Double, nullable=False),
            sa.Column("_record", sa.Text, nullable=False),
            *(sa.Column(self.columns[field.name], _Ordered) for field in others),
        )
        for field in others:
            if field.indexed and not field.is_list:
                name = self.columns[field.name]
                sa.Index(f"_{schema.name}_{name}", self.table.c[name])
        c, given = self.table.c, sa.bindparam
        key, cutoff = c._key == given("key"), c._saved_at > given("cutoff")
        values: dict[str, Any] = {
            column.name: given(column.name) for column in c if column is not c._number
        }
        put = sa.insert(self.table).prefix_with("OR REPLACE").values(values)
        self.find = _compiled(sa.select(c._record).where(key, cutoff))
        self.load = _compiled(sa.select(c._record).where(cutoff).order_by(c._number))
        self.put = _compiled(put)
        self.remove = _compiled(sa.delete(self.table).where(key))
        self.prune = _compiled(sa.delete(self.table).where(c._saved_at <= given("limit")))
        members = "(SELECT value FROM json_each(?))"
        self.name = name = _quoted(schema.name)
        self.answered = f"SELECT _key, _record FROM {name} WHERE _key IN {members}"
        self.renew = f"UPDATE {name} SET _saved_at = ? WHERE _key IN {members}"
        self._parts: list[
            tuple[Callable[[Any], Any], Callable[[Sequence[Any]], Sequence[Form]]]
        ] = [
            (attrgetter(field.name), list_forms if field.is_list else column_forms)
            for field in others
        ]

    @property
    def fingerprint(self) -> str:
        """What changes when the table would be another one."""
        return f"{_FORMAT}:{self.schema.fingerprint}"

    def rows(self, saved: Sequence[Encoded[T]], saved_at: float) -> Iterator[tuple[Any, ...]]:
        """Return what ``put`` is executed with, for each record."""
        keys, texts, records = zip(*saved, strict=True)
        # A column at a time, which takes fewer calls than a row at a time.
        columns = [make(list(map(get, records))) for get, make in self._parts]
        return zip(keys, repeat(saved_at), map(bytes.decode, texts), *columns, strict=False)

    def make(self, connection: sqlite3.Connection) -> None:
        """Make the tables, or make them anew for a model that has changed."""
        if self._is_made(connection):
            return
        with transaction(connection):
            connection.execute(_MODELS)
            connection.execute(_ANSWERS)
            if not self._is_made(connection):
                self._rebuild(connection)

    def _is_made(self, connection: sqlite3.Connection) -> bool:
        try:
            found = connection.execute(
                'SELECT fingerprint FROM "_models" WHERE name = ?', [self.schema.name]
            ).fetchone()
        except sqlite3.OperationalError:  # there is no such table
            return False
        return bool(found == (self.fingerprint,))

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        rows = self._salvaged(connection)
        connection.execute(_compiled(sa.schema.CreateTable(self.table)))
        for index in self.table.indexes:
            connection.execute(_compiled(sa.schema.CreateIndex(index)))
        connection.executemany(self.put, rows)
        connection.execute(
            'INSERT OR REPLACE INTO "_models" VALUES (?, ?)', [self.schema.name, self.fingerprint]
        )

    def _salvaged(self, connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        """Return the rows of the table as it was, which is dropped."""
        name, schema = _quoted(self.schema.name), self.schema
        try:
            old = connection.execute(
                f"SELECT _saved_at, _record FROM {name} ORDER BY _number"
            ).fetchall()
        except sqlite3.OperationalError:
            self._rename_foreign(connection)
            return []
        rows: list[tuple[Any, ...]] = []
        for saved_at, text in old:
            with suppress(ValueError, UnstorableValue):
                rows += self.rows(schema.encoded([schema.read(text)]), saved_at)
        connection.execute(f"DROP TABLE {name}")
        if len(rows) < len(old):  # which would be missing in the answers, as if they were deleted
            connection.execute('DELETE FROM "_kept_answers" WHERE model = ?', [self.schema.name])
        logger.warning(
            "The table %s was made for another version of %s: %d records are kept, %d can't be",
            self.schema.name,
            schema.model.__qualname__,
            len(rows),
            len(old) - len(rows),
        )
        return rows

    def _rename_foreign(self, connection: sqlite3.Connection) -> None:
        """Make room where a table of this name is not one of ours."""
        name = self.schema.name
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [name]).fetchone()
        if found is not None:
            aside = f"{name}_{time.time_ns()}"
            connection.execute(f"ALTER TABLE {_quoted(name)} RENAME TO {_quoted(aside)}")
            logger.warning("The table %s is not a cache's; it is now %s", name, aside)

    def select(
        self, queries: Sequence[Query[Any]], distinct: bool, cutoff: float
    ) -> tuple[str, tuple[Form, ...]]:
        """Return the statement that finds the records which fit all queries, and its arguments."""
        columns = [_quoted(self.columns[query.key]) for query in queries]
        where = Condition("_saved_at > ?", (cutoff,))
        for column, query in zip(columns, queries, strict=True):
            where &= condition(column, self.schema.fields[query.key], query)
        text = where.text
        if distinct and queries:
            text = (
                f"_number IN (SELECT min(_number) FROM {self.name} WHERE {text}"
                f" GROUP BY {', '.join(columns)})"
            )
        return f"SELECT _record FROM {self.name} WHERE {text} ORDER BY _number", where.arguments

    # What a change does

    def apply(self, connection: sqlite3.Connection, change: Change[T]) -> None:
        """Do what one call does; in a transaction, unless it saves but one record."""
        name = self.schema.name
        if change.outdates:
            connection.execute('UPDATE "_kept_answers" SET is_outdated = 1 WHERE model = ?', [name])
        if change.removed:
            connection.executemany(self.remove, [(key,) for key in change.removed])
        if len(change.saved) == 1:
            connection.execute(self.put, next(self.rows(change.saved, change.at)))
        elif change.saved:
            connection.executemany(self.put, self.rows(change.saved, change.at))
        if change.forgotten is not None:
            connection.execute(
                'DELETE FROM "_kept_answers" WHERE model = ? AND signature = ?',
                [name, change.forgotten],
            )
        if change.answer is not None:
            self._keep(connection, change.answer)
        if change.renewed is not None:
            self._renew(connection, change.renewed, change.at)

    def drop_older(self, connection: sqlite3.Connection, limit: float) -> None:
        """Drop what was saved at ``limit`` or before."""
        connection.execute(self.prune, [limit])
        connection.execute(
            'DELETE FROM "_kept_answers" WHERE model = ? AND saved_at <= ?',
            [self.schema.name, limit],
        )

    def answer(
        self, connection: sqlite3.Connection, signature: str
    ) -> tuple[KeptAnswer, list[T]] | None:
        """Return an answer, and the records of it that are still there.

        None also when one can't be read.
        """
        found = connection.execute(
            "SELECT signature, keys, shape, saved_at, etag, last_modified, is_outdated, fingerprint"
            ' FROM "_kept_answers" WHERE model = ? AND signature = ?',
            [self.schema.name, signature],
        ).fetchone()
        if found is None:
            return None
        _, keys, *rest, is_outdated, fingerprint = found
        dumped = [signature, json.loads(keys), *rest, bool(is_outdated), fingerprint]
        kept = KeptAnswer.load(dumped)
        texts = dict(connection.execute(self.answered, [keys]))
        found_texts = [texts[key] for key in kept.keys if key in texts]
        records = list(self.schema.readable(found_texts))
        return (kept, records) if len(records) == len(found_texts) else None

    def _keep(self, connection: sqlite3.Connection, answer: KeptAnswer) -> None:
        signature, keys, *rest = answer.dump()
        connection.execute(
            'INSERT OR REPLACE INTO "_kept_answers" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
            [self.schema.name, signature, json.dumps(keys), *rest],
        )

    def _renew(self, connection: sqlite3.Connection, signature: str, at: float) -> None:
        found = connection.execute(
            'UPDATE "_kept_answers" SET saved_at = ?, is_outdated = 0'
            " WHERE model = ? AND signature = ? RETURNING keys",
            [at, self.schema.name, signature],
        ).fetchall()
        for (keys,) in found:
            connection.execute(self.renew, [at, keys])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all or nothing. Other writers wait from the beginning, as one that reads first must."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _columns(schema: Schema[Any]) -> dict[str, str]:
    """Return the name of each field's column; SQLite takes ``Name`` and ``name`` for one."""
    taken: set[str] = set()
    columns = {}
    for number, field in enumerate(schema.fields):
        name = field if field[0] != "_" and field.lower() not in taken else f"{field}_{number}_"
        columns[field] = name if name[0] != "_" else f"x{name}"
        taken.add(columns[field].lower())
    # What stands for an id is what its column would hold.
    return columns | {"id": "_key"}


def _compiled(statement: sa.ClauseElement) -> str:
    return str(statement.compile(dialect=_DIALECT))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
