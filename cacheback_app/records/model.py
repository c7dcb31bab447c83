"""What is known of a model: its fields, and its records as text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from cacheback_app.exceptions import UnknownField, UnstorableValue, UnsuitableModel

from .columns import column_forms
from .exact import Exact
from .forms import key_of

T = TypeVar("T")


_EXACTLY: dict[str, Any] = {"by_alias": False, "round_trip": True, "warnings": "error"}


class Indexed:
    """Marks a field that queries often ask for by value: ``name: Annotated[str, Indexed()]``.

    In a dataclass, ``field(metadata={"indexed": True})`` does the same.
    """


@dataclass(frozen=True, slots=True)
class Field:
    """A field that queries can ask for.

    :ivar indexed: whether it is marked, or the id.
    :ivar is_list: whether it may hold a list, and so has members.
    """

    name: str
    indexed: bool
    is_list: bool


class Schema(Generic[T]):
    """A model's fields, and how its records become text and records again.

    Pydantic validates and converts, also for plain dataclasses. Text is JSON with the names of the
    fields, not with their aliases, and ``NaN`` where a number is none.
    """

    def __init__(self, model: type[T]) -> None:
        try:
            import pydantic
            import pydantic_core
        except ImportError as exc:
            raise UnsuitableModel(
                "records need pydantic: pip install cacheback-app[records]"
            ) from exc
        self.model = model
        try:
            self.fields = {field.name: field for field in _fields(model)}
            self.adapter = pydantic.TypeAdapter(model)
        except NameError as exc:  # pydantic's error is one, too
            raise UnsuitableModel(
                f"{model.__qualname__} has a field of unknown type: {exc}"
            ) from exc
        except pydantic.errors.PydanticUserError as exc:
            raise UnsuitableModel(
                f"{model.__qualname__} has a field that pydantic can't keep: {exc}"
            ) from exc
        if "id" not in self.fields:
            raise UnsuitableModel(f"{model.__qualname__} has no field 'id'")
        self.name = str(getattr(model, "__tablename__", None) or _snake(model.__name__))
        self._errors = (pydantic_core.PydanticSerializationError, pydantic.ValidationError)
        self._invalid = pydantic.ValidationError
        if ".types.Secret" in str(self.adapter.core_schema):
            raise UnsuitableModel(
                f"{model.__qualname__} has a secret, of which JSON would keep only asterisks"
            )
        self._is_exact = Exact(model, self.adapter.core_schema)
        self._text = self.adapter.serializer.to_json
        self._simplify = self.adapter.serializer.to_python
        self._dump = pydantic_core.to_json
        self._load = self.adapter.validator.validate_json
        # Several texts, one for each record, in one call.
        texts = pydantic.TypeAdapter(list[pydantic.Json[model]])  # type: ignore[valid-type]
        self._dump_all = texts.serializer.to_python
        self._load_all = texts.validator.validate_python

    @property
    def indexed(self) -> list[str]:
        """The names of the fields that have an index."""
        return [field.name for field in self.fields.values() if field.indexed]

    def field(self, name: str) -> Field:
        """Return the field ``name``.

        :raises UnknownField: when the model has none of that name.
        """
        try:
            return self.fields[name]
        except KeyError:
            raise UnknownField(name, self.model) from None

    def encode(self, record: T) -> bytes:
        """Return ``record`` as text.

        :raises TypeError: when it is no record of this model.
        :raises UnstorableValue: when a field holds what is not of its type, or what can't be JSON.
        """
        if not isinstance(record, self.model):
            raise TypeError(f"{record!r} is no {self.model.__qualname__}")
        try:
            text: bytes = self._text(record, **_EXACTLY)
            if self._is_exact.null_is_none or b"null" not in text:
                return text
            # NaN and infinities are null there: a closer look is taken.
            simple = self._simplify(record, mode="json", **_EXACTLY)
            return self._dump(simple, inf_nan_mode="constants")
        except (*self._errors, UnicodeError) as exc:
            raise UnstorableValue(f"{self.model.__qualname__} can't be kept: {exc}") from exc

    def decode(self, text: bytes | str) -> T:
        """Return the record that ``text`` is, new at every call.

        :raises pydantic.ValidationError: when it is none of this model.
        """
        record: T = self._load(text, by_alias=False, by_name=True)
        return record

    def encoded(self, records: Iterable[T]) -> list[Encoded[T]]:
        """Return records as they are kept, each as a reader will get it.

        :raises UnstorableValue: as :meth:`encode` does, or when a record would not be valid then.
        """
        given = list(records)
        if len(given) > 1:
            with suppress(TypeError, ValueError, AttributeError):
                return self._encoded_at_once(given)
        # One by one, also to tell what is wrong with which.
        return list(map(self._encoded, given))

    def _encoded_at_once(self, records: list[T]) -> list[Encoded[T]]:
        if not all(isinstance(record, self.model) for record in records):
            raise TypeError
        dumped: list[str] = self._dump_all(records, mode="json", **_EXACTLY)
        if self._is_exact(records):
            kept, texts = records, list(map(str.encode, dumped))
        else:
            texts = [
                self.encode(record) if "null" in text else text.encode()
                for record, text in zip(records, dumped, strict=True)
            ]
            kept = self._load_all(texts, by_alias=False, by_name=True)
        keys: Any = column_forms([record.id for record in kept])  # type: ignore[attr-defined]
        if None in keys or "x" in keys:  # which key_of refuses
            raise ValueError
        return list(map(Encoded._make, zip(keys, texts, kept, strict=True)))

    def _encoded(self, record: T) -> Encoded[T]:
        text = self.encode(record)
        try:
            kept = self.decode(text)
            return Encoded(key_of(kept.id), text, kept)  # type: ignore[attr-defined]
        except ValueError as exc:  # pydantic's errors are such
            raise UnstorableValue(f"{self.model.__qualname__} can't be kept: {exc}") from exc

    def read(self, text: bytes | str) -> T:
        """Return the record that ``text`` is, also when another version of the model wrote it.

        Fields that are gone are left out, and new ones have their default.

        :raises pydantic.ValidationError: when that isn't valid.
        """
        try:
            record: T = self._load(text, by_alias=False, by_name=True)
            return record
        except self._invalid:
            try:
                parts = json.loads(text)
            except ValueError:
                parts = None
            if not isinstance(parts, dict) or parts.keys() <= self.fields.keys():
                raise
            known = {name: part for name, part in parts.items() if name in self.fields}
            return self.decode(json.dumps(known))

    def readable(self, texts: Iterable[bytes | str]) -> Iterator[T]:
        """Return the records that ``texts`` are, without those that can't be read.

        Of those one hears when a file is opened that another version of the model wrote.
        """
        read = self.read
        for text in texts:
            try:
                yield read(text)
            except self._invalid:
                continue

    def key(self, entry: T | Mapping[str, Any]) -> int | float | str:
        """Return the key of a record, or of ``{"id": ...}``.

        :raises TypeError: when it is neither.
        :raises ValueError: for a mapping without an id, or with one that no record can have.
        """
        if isinstance(entry, self.model):
            return key_of(entry.id)  # type: ignore[attr-defined]
        if not isinstance(entry, Mapping):
            raise TypeError(f'{entry!r} is no {self.model.__qualname__}, and no {{"id": ...}}')
        if "id" not in entry:
            raise ValueError(f'{entry!r} has no "id", which says what record is meant')
        return key_of(entry["id"])

    @cached_property
    def fingerprint(self) -> str:
        """What changes when the model does."""
        try:
            described: object = self.adapter.json_schema()
        except Exception:  # a type of the user's without a JSON schema
            described = repr(_fields(self.model))
        text = json.dumps([described, self.indexed], sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()


class Encoded(NamedTuple, Generic[T]):
    """A record as it is kept: its key, and its text.

    :ivar record: what the text means; None where it was read from a file.
    """

    key: int | float | str
    text: bytes
    record: T | None = None


def schema_of(model: type[T]) -> Schema[T]:
    """Return what is known of ``model``.

    :raises UnsuitableModel: when it is neither dataclass nor pydantic model, or has no ``id``.
    """
    schema: Schema[T] = _schema_of(cast("Any", model))
    return schema


@cache
def _schema_of(model: Any) -> Any:
    return Schema(model)


def _fields(model: type) -> list[Field]:
    described = getattr(model, "__pydantic_fields__", None)
    if described is not None:
        return [
            Field(
                name,
                name == "id" or any(map(_is_mark, info.metadata)),
                _may_be_list(info.annotation),
            )
            for name, info in described.items()
        ]
    if not dataclasses.is_dataclass(model):
        raise UnsuitableModel(f"{model!r} is neither a dataclass nor a pydantic model")
    hints = get_type_hints(model, include_extras=True)
    return [
        Field(field.name, _is_marked(field, hints[field.name]), _may_be_list(hints[field.name]))
        for field in dataclasses.fields(model)
    ]


def _is_marked(field: dataclasses.Field[Any], hint: object) -> bool:
    annotated = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return (
        field.name == "id" or bool(field.metadata.get("indexed")) or any(map(_is_mark, annotated))
    )


def _is_mark(annotation: object) -> bool:
    return isinstance(annotation, Indexed) or annotation is Indexed


def _may_be_list(hint: Any) -> bool:
    """Return whether a value of this type may be a list; types that say nothing may be."""
    hint = getattr(hint, "__value__", getattr(hint, "__supertype__", hint))
    origin = get_origin(hint)
    if origin is Annotated:
        return _may_be_list(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return any(map(_may_be_list, get_args(hint)))
    if origin is Literal or hint is None:
        return False
    cls = origin or hint
    if cls is Any or not isinstance(cls, type):  # Any is a class since Python 3.11
        return True
    if issubclass(cls, (str, bytes, bytearray, Mapping)):
        return False
    return cls is object or issubclass(cls, Collection)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
