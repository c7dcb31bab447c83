"""What a server answered, and what one request does to a cache."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from .model import Encoded

T = TypeVar("T")

Key = int | float | str
"""What stands for a record's id."""


class Shape(Enum):
    """How an answer held its records."""

    LIST = "list"
    SINGLE = "single"
    NONE = "none"


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a server answered to one request, as far as it is kept.

    :ivar entries: its records in the server's order, each as it is now: one that was updated
        since is the new one, one that was deleted is left out.
    :ivar saved_at: Unix time at which the server gave or confirmed it.
    :ivar etag: what to ask with in ``If-None-Match``.
    :ivar last_modified: what to ask with in ``If-Modified-Since``.
    :ivar is_fresh: whether it may be given without asking the server.
    """

    entries: tuple[T, ...]
    shape: Shape
    saved_at: float
    etag: str | None = None
    last_modified: str | None = None
    is_fresh: bool = True

    @property
    def value(self) -> T | list[T] | None:
        """The entries in the shape that the server gave them."""
        if self.shape is Shape.LIST:
            return list(self.entries)
        return self.entries[0] if self.shape is Shape.SINGLE else None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is kept: without the records, but with their keys.

    :ivar is_outdated: whether something was changed at the server since.
    :ivar fingerprint: what the model was like. Of an answer for another model nobody knows what the
        server would say of the fields that are new.
    """

    signature: str
    keys: tuple[Key, ...]
    shape: Shape
    saved_at: float
    etag: str | None = None
    last_modified: str | None = None
    is_outdated: bool = False
    fingerprint: str = ""

    def dump(self) -> list[Any]:
        """Return it as JSON can hold it."""
        return [
            self.signature,
            list(self.keys),
            self.shape.value,
            self.saved_at,
            self.etag,
            self.last_modified,
            self.is_outdated,
            self.fingerprint,
        ]

    @classmethod
    def load(cls, dumped: list[Any]) -> KeptAnswer:
        """Return what :meth:`dump` was called on."""
        signature, keys, shape, *rest = dumped
        return cls(signature, tuple(keys), Shape(shape), *rest)


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What one call does to a cache: all of it, or nothing. In this order:

    :ivar at: Unix time of the call.
    :ivar outdates: whether all answers are to be asked for again.
    :ivar removed: keys of records to remove.
    :ivar saved: records to keep, in the place of those of the same keys.
    :ivar answer: an answer to keep.
    :ivar renewed: signature of an answer that the server confirmed, with its records.
    :ivar forgotten: signature of an answer to remove.
    """

    at: float
    outdates: bool = False
    removed: tuple[Key, ...] = ()
    saved: list[Encoded[T]] = field(default_factory=list)
    answer: KeptAnswer | None = None
    renewed: str | None = None
    forgotten: str | None = None

    @property
    def is_one_record(self) -> bool:
        """Whether all it does is to save one record."""
        others = (self.outdates, self.removed, self.answer, self.renewed, self.forgotten)
        return len(self.saved) == 1 and not any(others)

    def dump(self) -> tuple[bytes, ...]:
        """Return it as JSON and the texts of its records."""
        head = [
            self.at,
            self.outdates,
            self.removed,
            [saved.key for saved in self.saved],
            self.answer and self.answer.dump(),
            self.renewed,
            self.forgotten,
        ]
        return (_json(head), *[saved.text for saved in self.saved])

    @classmethod
    def load(cls, dumped: tuple[bytes, ...]) -> Change[T]:
        """Return what :meth:`dump` was called on."""
        at, outdates, removed, keys, answer, renewed, forgotten = json.loads(dumped[0])
        return cls(
            at,
            outdates,
            tuple(removed),
            [Encoded(key, text) for key, text in zip(keys, dumped[1:], strict=True)],
            answer and KeptAnswer.load(answer),
            renewed,
            forgotten,
        )


def _json(value: object) -> bytes:
    from pydantic_core import to_json

    try:
        return to_json(value, inf_nan_mode="constants")
    except ValueError:  # half of a surrogate pair, in an id that no record can have
        return json.dumps(value).encode()
