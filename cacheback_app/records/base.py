"""The contract of all caches of records."""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from cacheback_app import durations
from cacheback_app.durations import Duration
from cacheback_app.exceptions import MissingParentError

from .answers import Answer, Change, KeptAnswer, Key, Shape
from .forms import key_of
from .methods import RequestMethod
from .model import Schema, schema_of
from .query import Query

T = TypeVar("T")

Entry = Any
"""A record, or ``{"id": ...}`` where only its id is known."""

_PRIVATE_FOLDER = 0o700


class Parent(Protocol):
    """What a cache needs of its endpoint."""

    MODEL: ClassVar[Any]


class RecordCache(ABC, Generic[T]):
    """Keeps the records of a remote API, and which of them answered which request.

    Records that are read are new objects each time: changing one changes nothing in the cache. All
    that changes the cache is durable when it returns, and is done as a whole or not at all.

    Any use needs the parent, which says what the records are.

    :param path: the folder of the cache's files, made when it is missing.
    :param expire_after: how long what is saved is given without asking again: seconds,
        ``timedelta``, or text like ``"10 minutes"``; 0 keeps nothing, None keeps for ever.
    :param parent: the endpoint, which sets it by itself.
    :raises ValueError: for a negative ``expire_after``.
    """

    KEEP_EXPIRED: ClassVar[float] = 7 * 86_400
    """For how many seconds what has expired stays on disk, for when the server is away."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        expire_after: Duration | None = None,
        parent: Parent | None = None,
    ) -> None:
        # Absolute, as a daemon changes its working directory.
        self._folder = Path(path).absolute()
        self._folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
        self.expire_after = expire_after
        self._schema: Schema[T] | None = None
        self._file: Path | None = None
        self._parent: Parent | None = None
        if parent is not None:
            self.parent = parent

    @property
    @abstractmethod
    def cache_path(self) -> Path:
        """The cache's file.

        :raises MissingParentError: when its name depends on a model that isn't known yet.
        """

    @property
    def expire_after(self) -> timedelta | None:
        """How long what is saved is given without asking again; may be set at any time."""
        return None if self._lifetime is None else timedelta(seconds=self._lifetime)

    @expire_after.setter
    def expire_after(self, value: Duration | None) -> None:
        lifetime = durations.seconds(value)
        # What is longer than a timedelta can be is for ever.
        self._lifetime = None if lifetime is not None and lifetime >= 86_400e9 else lifetime

    @property
    def parent(self) -> Parent:
        """The endpoint that the cache belongs to.

        :raises MissingParentError: when it has none.
        """
        if self._parent is None:
            raise MissingParentError(
                f"this {type(self).__name__} has no parent yet: give it to an endpoint, or an"
                " endpoint to it"
            )
        return self._parent

    @parent.setter
    def parent(self, value: Parent | None) -> None:
        self._parent = value
        self._schema = None
        self._file = None

    def parent_exist(self) -> bool:
        """Return True.

        :raises MissingParentError: when there is no parent.
        """
        return self.parent is not None

    @property
    def schema(self) -> Schema[T]:
        """What is known of the parent's model.

        :raises MissingParentError: when there is no parent.
        :raises UnsuitableModel: when the model can't be kept.
        """
        if self._schema is None:
            self._schema = schema_of(self.parent.MODEL)
        return self._schema

    # Records

    @abstractmethod
    def commit(self) -> None:
        """Make durable what isn't yet; what a method of a cache has saved, is."""

    def load_cache(self) -> list[T]:
        """Return all records that haven't expired, those saved last at the end."""
        return self._load(self.schema, self._cutoff())

    def find_entry(self, entry: T | Mapping[str, Any]) -> T | None:
        """Return the record with the id of ``entry``, None if there is none or it has expired.

        :param entry: a record, or ``{"id": ...}``. With other fields, the first record that has
            all these values.
        :raises TypeError: when it is neither.
        :raises UnknownField: when the model doesn't have one of the fields.
        """
        schema = self._schema or self.schema
        if isinstance(entry, schema.model):
            identifier = entry.id  # type: ignore[attr-defined]
        elif not isinstance(entry, Mapping):
            raise TypeError(f'{entry!r} is no {schema.model.__qualname__}, and no {{"id": ...}}')
        elif len(entry) == 1 and "id" in entry:
            identifier = entry["id"]
        else:
            queries = [Query(name, value) for name, value in entry.items()]
            return next(iter(self.query(*queries)), None)
        try:
            key = key_of(identifier)
        except ValueError:  # which no record can have
            return None
        return self._find(schema, key, self._cutoff())

    def add_entry(self, *entries: T) -> None:
        """Save records, each in the place of the one with its id.

        :raises TypeError: for what is not a record of the model, or can't be kept.
        """
        self._write(self._saving(entries))

    def update_entry(self, *entries: T) -> None:
        """Save records, each in the place of the one with its id; without one it is added."""
        self.add_entry(*entries)

    def delete_entry(self, *entries: T | Mapping[str, Any]) -> None:
        """Remove records, given as such or as ``{"id": ...}``. Those that are missing are fine.

        :raises TypeError: for what is neither.
        :raises ValueError: for a mapping without an id, or with one that no record can have.
        """
        self._write(self._removing(entries))

    def save_cache(self, entries: Iterable[T] | T, method: RequestMethod) -> None:
        """Do to the cache what a request of ``method`` did at the server.

        GET, POST, PUT and PATCH save the records, DELETE removes them. After all but GET the
        answers that are kept are outdated, as the server may now answer otherwise.

        :param entries: what the server answered: one record or several. For DELETE also
            ``{"id": ...}``.
        """
        # A pydantic model can be iterated over, too.
        is_one = isinstance(entries, (self.schema.model, Mapping))
        given: list[Any] = [entries] if is_one else list(cast("Iterable[Any]", entries))
        build = self._removing if method is RequestMethod.DELETE else self._saving
        self._write(build(given, outdates=method.changes))

    def find_method(self, method: RequestMethod) -> Callable[..., None]:
        """Return what a request of ``method`` does with its records: a method of this cache."""
        self.parent_exist()
        if method is RequestMethod.DELETE:
            return self.delete_entry
        if method in (RequestMethod.POST, RequestMethod.PATCH):
            return self.update_entry
        return self.add_entry

    def query(self, *queries: Query[Any], distinct: bool = False) -> Iterable[T]:
        """Return the records that fit all queries and haven't expired, those saved last at the end.

        :param distinct: whether only the first of those is wanted that have equal values in all
            fields that the queries ask for.
        :raises UnknownField: when the model doesn't have a field that a query asks for.
        """
        schema = self.schema
        for query in queries:
            schema.field(query.key)
        return self._query(schema, queries, distinct, self._cutoff())

    # Answers

    def answer(self, signature: str, *, expired: bool = False) -> Answer[T] | None:
        """Return what the server answered to the request of this signature, None without one.

        :param expired: whether an answer that has expired, or is outdated, will do.
        """
        schema, cutoff = self.schema, self._cutoff()
        found = self._answer(schema, signature)
        if found is None:
            return None
        kept, records = found
        is_ours = kept.fingerprint == schema.fingerprint
        is_fresh = is_ours and not kept.is_outdated and self._is_young(kept.saved_at, cutoff)
        if not (is_fresh or expired) or (kept.shape is Shape.SINGLE and not records):
            return None
        # What the server would confirm has the fields of the model as it was.
        etag, modified = (kept.etag, kept.last_modified) if is_ours else (None, None)
        return Answer(tuple(records), kept.shape, kept.saved_at, etag, modified, is_fresh)

    def keep_answer(
        self,
        signature: str,
        entries: Iterable[T],
        shape: Shape,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> None:
        """Save records, and that they answer the request of this signature."""
        change = self._saving(entries)
        if self._keeps_nothing:
            change = Change(change.at, removed=change.removed, forgotten=signature)
        else:
            keys = tuple(saved.key for saved in change.saved)
            answer = KeptAnswer(
                signature,
                keys,
                shape,
                change.at,
                etag,
                last_modified,
                fingerprint=self.schema.fingerprint,
            )
            change = Change(change.at, saved=change.saved, answer=answer)
        self._write(change)

    def extend_answer(self, signature: str) -> None:
        """Renew an answer and its records, as the server says that they haven't changed."""
        self.parent_exist()
        self._write(Change(time.time(), renewed=signature))

    def outdate_answers(self) -> None:
        """Have all answers asked for again; until then they are there when the server is away."""
        self.parent_exist()
        self._write(Change(time.time(), outdates=True))

    # For subclasses

    def is_failure(self, exc: Exception) -> bool:
        """Return whether ``exc`` says that the cache can't be read or written just now, and not
        that it was used wrongly."""
        return isinstance(exc, OSError)

    @abstractmethod
    def _load(self, schema: Schema[T], cutoff: float) -> list[T]: ...

    @abstractmethod
    def _find(self, schema: Schema[T], key: Key, cutoff: float) -> T | None: ...

    @abstractmethod
    def _query(
        self, schema: Schema[T], queries: Sequence[Query[Any]], distinct: bool, cutoff: float
    ) -> Iterable[T]: ...

    @abstractmethod
    def _answer(self, schema: Schema[T], signature: str) -> tuple[KeptAnswer, list[T]] | None:
        """Return an answer with its records; None also when one of these can't be read any more."""

    @abstractmethod
    def _write(self, change: Change[T]) -> None: ...

    @property
    def _keeps_nothing(self) -> bool:
        return self._lifetime == 0

    def _cutoff(self) -> float:
        """Return the time at or before which what was saved has expired."""
        return float("-inf") if self._lifetime is None else time.time() - self._lifetime

    def _is_young(self, saved_at: float, cutoff: float) -> bool:
        # If the clock was set back, it isn't known how old an answer is: it is not given for long.
        limit = float("inf") if self._lifetime is None else time.time() + self._lifetime
        return cutoff < saved_at < limit

    def _discarded(self) -> float:
        """Return the time at or before which what was saved need not stay on disk."""
        return self._cutoff() - self.KEEP_EXPIRED

    def _saving(self, entries: Iterable[T], *, outdates: bool = False) -> Change[T]:
        saved = self.schema.encoded(entries)
        if self._keeps_nothing:  # not even what they are to replace
            keys = tuple(each.key for each in saved)
            return Change(time.time(), outdates, removed=keys)
        return Change(time.time(), outdates, saved=saved)

    def _removing(self, entries: Iterable[Entry], *, outdates: bool = False) -> Change[T]:
        schema = self.schema
        return Change(time.time(), outdates, removed=tuple(map(schema.key, entries)))

    # Async twins: a thread does the work, and the event loop goes on.

    async def acommit(self) -> None:
        """See commit()."""
        await asyncio.to_thread(self.commit)

    async def aload_cache(self) -> list[T]:
        """See load_cache()."""
        return await asyncio.to_thread(self.load_cache)

    async def asave_cache(self, entries: Iterable[T] | T, method: RequestMethod) -> None:
        """See save_cache()."""
        await asyncio.to_thread(self.save_cache, entries, method)

    async def afind_entry(self, entry: T | Mapping[str, Any]) -> T | None:
        """See find_entry()."""
        return await asyncio.to_thread(self.find_entry, entry)

    async def aadd_entry(self, *entries: T) -> None:
        """See add_entry()."""
        await asyncio.to_thread(self.add_entry, *entries)

    async def aupdate_entry(self, *entries: T) -> None:
        """See update_entry()."""
        await asyncio.to_thread(self.update_entry, *entries)

    async def adelete_entry(self, *entries: T | Mapping[str, Any]) -> None:
        """See delete_entry()."""
        await asyncio.to_thread(self.delete_entry, *entries)

    async def aquery(self, *queries: Query[Any], distinct: bool = False) -> list[T]:
        """See query(); the records are read before this returns."""
        return await asyncio.to_thread(lambda: list(self.query(*queries, distinct=distinct)))

    async def aanswer(self, signature: str, *, expired: bool = False) -> Answer[T] | None:
        """See answer()."""
        return await asyncio.to_thread(self.answer, signature, expired=expired)

    async def akeep_answer(
        self,
        signature: str,
        entries: Iterable[T],
        shape: Shape,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> None:
        """See keep_answer()."""
        await asyncio.to_thread(self.keep_answer, signature, entries, shape, etag, last_modified)

    async def aextend_answer(self, signature: str) -> None:
        """See extend_answer()."""
        await asyncio.to_thread(self.extend_answer, signature)

    async def aoutdate_answers(self) -> None:
        """See outdate_answers()."""
        await asyncio.to_thread(self.outdate_answers)
