"""Records in a JSON file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cacheback_app.durations import Duration

from .answers import Change, KeptAnswer, Key
from .base import Parent, RecordCache
from .matching import looked_up, test_of
from .model import Schema
from .query import Comparison, Query
from .session import JSONSession
from .table import Row, Table
from .values import members, nested

T = TypeVar("T")


class JSONCache(RecordCache[T]):
    """Keeps records in memory and in ``PATH/cache_MODEL.json``, which processes can share.

    A change is a line at the end of a journal beside that file; ``docs/records.md``.

    :param max_length: how many records are kept, which are those saved last.
    :ivar session: the records in memory, and how they get to the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        expire_after: Duration | None = None,
        parent: Parent | None = None,
        *,
        max_length: int = 10_000,
    ) -> None:
        self.session: JSONSession[T] = JSONSession(max_length=max_length)
        super().__init__(path, expire_after, parent)

    @property
    def cache_path(self) -> Path:
        """The snapshot: ``cache_MODEL.json`` in the cache's folder.

        :raises MissingParentError: when there is no parent, and so no model.
        """
        return self._path(self.schema)

    def commit(self) -> None:
        """Write what was appended to ``session.data``; all else is on disk already."""
        self._table(self.schema)
        self.session.save(self.cache_path)

    def _load(self, schema: Schema[T], cutoff: float) -> list[T]:
        table = self._table(schema)
        return list(table.records(_live(list(table.rows.values()), cutoff)))

    def _find(self, schema: Schema[T], key: Key, cutoff: float) -> T | None:
        table = self._table(schema)
        row = table.rows.get(key)
        if row is None or row.saved_at <= cutoff:
            return None
        try:
            return schema.read(row.text)
        except ValueError:
            return None

    def _query(
        self, schema: Schema[T], queries: Sequence[Query[Any]], distinct: bool, cutoff: float
    ) -> list[T]:
        table = self._table(schema)
        tests = [(query.key, test_of(query)) for query in queries]
        rows = _live(self._candidates(table, schema, queries), cutoff)
        found = [
            record
            for record in table.records(rows)
            if all(test(getattr(record, key)) for key, test in tests)
        ]
        return _distinct(found, [query.key for query in queries]) if distinct and queries else found

    def _answer(self, schema: Schema[T], signature: str) -> tuple[KeptAnswer, list[T]] | None:
        table = self._table(schema)
        answer = table.answers.get(signature)
        records = None if answer is None else table.answered(answer)
        return None if answer is None or records is None else (answer, records)

    def _write(self, change: Change[T]) -> None:
        schema, session = self.schema, self.session
        session.use(schema.model)
        session.write(self._path(schema), change, self._discarded())

    def _path(self, schema: Schema[T]) -> Path:
        if self._file is None:
            self._file = self._folder / f"cache_{schema.name}.json"
        return self._file

    def _table(self, schema: Schema[T]) -> Table[T]:
        """Return the records as they are on disk now."""
        session = self.session
        if session.model is not schema.model:
            session.use(schema.model)
        session.refresh(self._file or self._path(schema))
        return session.table

    def _candidates(
        self, table: Table[T], schema: Schema[T], queries: Sequence[Query[Any]]
    ) -> Iterable[Row]:
        """Return rows among which are all that fit, in order."""
        for query in queries:
            if query.comparison is Comparison.EQUAL and schema.field(query.key).indexed:
                keys = table.index_of(query.key).find(looked_up(members(query.value)))
                return sorted(table.rows[key] for key in keys)
        return list(table.rows.values())


def _live(rows: Iterable[Row], cutoff: float) -> Iterable[Row]:
    return (row for row in rows if row.saved_at > cutoff)


def _distinct(records: list[T], keys: list[str]) -> list[T]:
    first: dict[Any, T] = {}
    for record in records:
        first.setdefault(tuple(nested(getattr(record, key)) for key in keys), record)
    return list(first.values())
