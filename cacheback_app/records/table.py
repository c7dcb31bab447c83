"""A JSON cache's records in memory: as text by key, in the order in which they were saved."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar, overload

from cacheback_app.exceptions import UnsuitableModel

from .answers import Change, KeptAnswer, Key
from .index import Index
from .model import Schema
from .snapshot import Snapshot

logger = logging.getLogger("cacheback")

T = TypeVar("T")


class Row(NamedTuple):
    """A record as it is kept.

    :ivar number: larger than those of all that were saved before.
    :ivar saved_at: Unix time.
    """

    number: int
    saved_at: float
    text: bytes


class Table(Sequence[T], Generic[T]):
    """The records of a session: a list to look at, in which each one read is a new object.

    What is appended or removed here reaches the files with ``JSONSession.save``.
    """

    def __init__(self, schema: Schema[T] | None = None, max_length: int = 10_000) -> None:
        self.schema = schema
        self.model = None if schema is None else schema.model
        self.max_length = max_length
        self.rows: dict[Key, Row] = {}
        self.answers: dict[str, KeptAnswer] = {}
        self._answered: dict[Key, set[str]] = {}
        self._indexes: dict[str, Index] = {}
        self._next = 0
        self.pending: list[Change[T]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return self.records(list(self.rows.values()))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return f"<{len(self)} records>"

    def records(self, rows: Iterable[Row]) -> Iterator[T]:
        """Return the records in ``rows`` that can be read."""
        return self._known().readable(row.text for row in rows)

    def append(self, record: T) -> None:
        """Add a record, in the place of the one with its id."""
        self.extend([record])

    def extend(self, records: Iterable[T]) -> None:
        """Add records, each in the place of the one with its id."""
        self._do(Change(time.time(), saved=self._known().encoded(records)))

    def remove(self, record: T) -> None:
        """Remove the record with the id of this one, if there is one."""
        self._do(Change(time.time(), removed=(self._known().key(record),)))

    def exchange(self, records: Sequence[T]) -> None:
        """Have these records in the place of all that are here; those that are the same stay."""
        given = {each.key: each for each in self._known().encoded(records)} if records else {}
        removed = tuple(key for key in self.rows if key not in given)
        texts = {key: row.text for key, row in self.rows.items()}
        saved = [each for key, each in given.items() if each.text != texts.get(key)]
        if removed or saved:
            self._do(Change(time.time(), removed=removed, saved=saved))

    def _do(self, change: Change[T]) -> None:
        self.apply(change)
        self.pending.append(change)

    def _known(self) -> Schema[T]:
        if self.schema is None:
            raise UnsuitableModel("the session has to be told its model")
        return self.schema

    # What a session does

    def notice(self, path: str, fingerprint: str) -> None:
        """Log what a model that has changed makes of what is here."""
        if self.schema is None or fingerprint in ("", self.schema.fingerprint):
            return
        kept = sum(1 for _ in self)
        logger.warning(
            "%s was written for another version of %s: %d records are read, %d can't be",
            path,
            self.schema.model.__qualname__,
            kept,
            len(self) - kept,
        )

    def index_of(self, field: str) -> Index:
        """Return the index of a field, which is made when it is first asked for."""
        if field not in self._indexes:
            index = Index(field)
            for key, row in self.rows.items():
                self._enter(index, key, row)
            self._indexes[field] = index
        return self._indexes[field]

    def answered(self, answer: KeptAnswer) -> list[T] | None:
        """Return the records of an answer, without those that were removed.

        None when one can't be read: the server's answer has it.
        """
        rows = [row for key in answer.keys if (row := self.rows.get(key)) is not None]
        records = list(self.records(rows))
        return records if len(records) == len(rows) else None

    def apply(self, change: Change[Any]) -> None:
        """Do what one call does; at the end, drop the oldest of what is too much."""
        if change.outdates:
            for signature, answer in self.answers.items():
                self.answers[signature] = replace(answer, is_outdated=True)
        for key in change.removed:
            self._remove(key)
        for saved in change.saved:
            self._put(saved.key, change.at, saved.text)
        if change.forgotten is not None:
            self._forget(change.forgotten)
        if change.answer is not None:
            self._keep(change.answer)
        if change.renewed is not None:
            self._renew(change.renewed, change.at)
        self._evict()

    def drop_older(self, limit: float) -> None:
        """Drop what was saved at ``limit`` or before."""
        for key in [key for key, row in self.rows.items() if row.saved_at <= limit]:
            self._remove(key)
        for answer in list(self.answers.values()):
            if answer.saved_at <= limit:
                self._forget(answer.signature)

    def dump(self) -> Snapshot:
        """Return all that is here."""
        rows = [(key, row.saved_at, row.text) for key, row in self.rows.items()]
        fingerprint = "" if self.schema is None else self.schema.fingerprint
        return Snapshot(rows, list(self.answers.values()), fingerprint)

    def restore(self, snapshot: Snapshot) -> None:
        """Have what is in ``snapshot``, and nothing else."""
        rows = enumerate(snapshot.rows)
        self._indexes, self._answered, self.answers = {}, {}, {}
        self._next = len(snapshot.rows)
        self.rows = {key: Row(number, saved, text) for number, (key, saved, text) in rows}
        for answer in snapshot.answers:
            self._keep(answer)
        self._evict()

    def _put(self, key: Key, saved_at: float, text: bytes) -> None:
        self._remove(key)
        self.rows[key] = row = Row(self._next, saved_at, text)
        self._next += 1
        for index in self._indexes.values():
            self._enter(index, key, row)

    def _enter(self, index: Index, key: Key, row: Row) -> None:
        for record in self.records([row]):
            index.add(key, getattr(record, index.field))

    def _remove(self, key: Key) -> None:
        if self.rows.pop(key, None) is not None:
            for index in self._indexes.values():
                index.remove(key)

    def _keep(self, answer: KeptAnswer) -> None:
        self._forget(answer.signature)
        self.answers[answer.signature] = answer
        for key in answer.keys:
            self._answered.setdefault(key, set()).add(answer.signature)

    def _forget(self, signature: str) -> None:
        answer = self.answers.pop(signature, None)
        for key in () if answer is None else answer.keys:
            signatures = self._answered.get(key, set())
            signatures.discard(signature)
            if not signatures:
                self._answered.pop(key, None)

    def _renew(self, signature: str, at: float) -> None:
        answer = self.answers.get(signature)
        if answer is None:
            return
        self.answers[signature] = replace(answer, saved_at=at, is_outdated=False)
        for key in answer.keys:
            if (row := self.rows.get(key)) is not None:
                self.rows[key] = row._replace(saved_at=at)

    def _evict(self) -> None:
        """Drop the oldest, and the answers that would not be whole without them."""
        while len(self.rows) > self.max_length:
            oldest = next(iter(self.rows))
            self._remove(oldest)
            for signature in list(self._answered.get(oldest, ())):
                self._forget(signature)
        while len(self.answers) > self.max_length:
            self._forget(next(iter(self.answers)))
