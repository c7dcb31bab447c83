"""The records of a JSON cache: in memory, and in files that other processes write, too."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.forks import watch

from .answers import Change
from .journal import Journal
from .model import schema_of
from .snapshot import VERSION
from .table import Table

T = TypeVar("T")


@dataclass(eq=False)
class JSONSession(Generic[T]):
    """The records of a JSON cache, and how they get to its files and back.

    A cache makes one for itself. By itself, it needs to be told the model, unless it gets records
    before it reads any::

        session = JSONSession(max_length=500, model=Tracker)
        session.load(path)
        session.data.append(Tracker(1, "work"))
        session.save(path)

    :ivar max_length: how many records are kept, which are those saved last.
    :ivar version: the version of the files' format.
    :ivar data: the records, in the order in which they were saved. A list that is set takes the
        place of those that are in memory.
    :ivar modified: when the files were last read, written or found changed, as their time of
        modification in nanoseconds; 0 before that.
    """

    max_length: int = 10_000
    version: str = field(init=False, default=VERSION)
    data: Sequence[T] = field(default_factory=list)
    modified: int = field(init=False, default=0)
    model: type[T] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.max_length < 0:
            raise ValueError("max_length can't be negative")
        self._journal: Journal | None = None
        self._table: Table[T] | None = None
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._lock = threading.RLock()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was appended or removed here since, without touching what others wrote."""
        with self._lock:
            journal, pending = self._open(path), self.table.pending
            while pending:
                self.write(path, pending[0])
                pending.pop(0)
            if not journal.path.exists():
                with journal.lock():
                    self._catch_up(journal, locked=True)
                    journal.replace(self.table.dump())
            self.modified = journal.written_at()

    def load(self, path: str | os.PathLike[str], expire: Duration | None = None) -> None:
        """Read all that the files hold; what wasn't saved is gone.

        :param expire: how old what is read may be; None: of any age.
        """
        lifetime = seconds(expire)
        with self._lock:
            self._table, self.data, self._journal = None, [], Journal(Path(path))
            self._read(self._journal)
            if lifetime is not None:
                self.table.drop_older(time.time() - lifetime)
            self.modified = self._journal.written_at()

    def use(self, model: type[T]) -> None:
        """Keep records of this model; those of another one are gone from memory."""
        if model is not self.model:
            with self._lock:
                is_other = self.model is not None
                self.model, self._journal = model, None
                if is_other:
                    self._table, self.data = None, []

    def refresh(self, path: str | os.PathLike[str]) -> bool:
        """Read what others wrote since; return whether there was something."""
        journal = self._journal
        if journal is None or journal.path is not path:
            journal = self._open(path)
        if not journal.has_news():
            return False
        with self._lock:
            self._catch_up(journal)
            self.modified = journal.written_at()
        return True

    def process_data(self, data: Iterable[T]) -> list[T]:
        """Return what would be kept of ``data``: the last of each id, the last ``max_length``."""
        records = list(data)
        self._learn(records)
        table = self._new_table()
        table.extend(records)
        return list(table)

    @property
    def table(self) -> Table[T]:
        """The data as the table that it is, also when it was given as a list."""
        data = self.data
        if isinstance(data, Table) and data.model is self.model:
            data.max_length = self.max_length
            return data
        if not isinstance(data, Table):
            self._learn(data)
        with self._lock:
            table = self._table
            if table is None or table.model is not self.model:
                table = self._new_table()
            if not isinstance(data, Table):
                table.exchange(data)
            self.data = self._table = table
            return table

    def write(
        self, path: str | os.PathLike[str], change: Change[T], oldest: float = float("-inf")
    ) -> None:
        """Write one change, and do it in memory; when this returns it is on disk.

        :param oldest: what was saved at this time or before may be dropped.
        """
        with self._lock:
            journal = self._open(path)
            with journal.lock():
                self._catch_up(journal, locked=True)
                is_appended = journal.append(change.dump())
                table = self.table
                table.apply(change)
                if not is_appended:
                    table.drop_older(oldest)
                    self._replace(journal)

    def _replace(self, journal: Journal) -> None:
        try:
            journal.replace(self.table.dump())
        except BaseException:  # what is in memory is not what is on disk: all is read again
            self._journal = None
            raise

    def _open(self, path: str | os.PathLike[str]) -> Journal:
        with self._lock:
            journal = self._journal
            if journal is None or (journal.path is not path and journal.path != Path(path)):
                # The very object that a cache asks with, as that is compared by identity.
                self._journal = journal = Journal(path if isinstance(path, Path) else Path(path))
            return journal

    def _catch_up(self, journal: Journal, *, locked: bool = False) -> None:
        news = journal.news()
        if news is None:
            return self._read(journal, locked=locked)
        for line in news:
            self.table.apply(Change.load(line))
        return None

    def _read(self, journal: Journal, *, locked: bool = False) -> None:
        if not locked:
            with journal.lock():
                return self._read(journal, locked=True)
        snapshot, lines, is_broken = journal.load()
        table, pending = self._new_table(), self.table.pending
        table.restore(snapshot)
        for line in lines:
            table.apply(Change.load(line))
        table.notice(os.fspath(journal.path), snapshot.fingerprint)
        if is_broken:
            journal.replace(table.dump())
        for change in pending:
            table.apply(change)
        table.pending = pending
        self.data = self._table = table
        return None

    def _learn(self, records: Sequence[T]) -> None:
        """Take the model from records if nobody has said what it is."""
        if self.model is None and records:
            self.model = type(records[0])

    def _new_table(self) -> Table[T]:
        return Table(self._schema(), self.max_length)

    def _schema(self) -> Any:
        return None if self.model is None else schema_of(self.model)
