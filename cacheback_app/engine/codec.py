"""Call arguments as JSON, and back as they were.

Text, integers, booleans, None and lists of them are plain JSON. Everything else is an object with
a tag, ``{"t": "date", "v": "2026-01-31"}``, so no value of a user can be taken for one. Types are
matched exactly: of a subclass nobody knows what it adds, so it is refused rather than flattened.

A message names classes only as data. What is found under such a name is used when it is an enum,
a dataclass or a model, and never called.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, EnumMeta, Flag
from functools import cached_property, lru_cache, partial
from importlib import import_module
from inspect import getattr_static
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ObjectDoesNotExist, SynchronousOnlyOperation
from django.db import DataError, Error
from django.utils.functional import cached_property as django_cached_property

from cacheback_app.exceptions import MalformedCall

Json = Any
"""What ``json.dumps`` takes and ``json.loads`` gives."""

UNORDERED = frozenset({"set", "frozenset", "dict"})
"""Tags of what is equal in any order."""

MODEL = "model"
"""Tag of a model instance: its label, its primary key, and the alias of its database."""

# Beyond it, other people's JSON parsers read another integer (RFC 7493, section 2.2).
_LARGEST_INT = 2**53 - 1
# In JSON two lone surrogates in a row would come back as the one character that they spell.
_SURROGATE = re.compile("[\ud800-\udfff]")
# Python's own stack allows a thousand frames; a level takes two of them here and one in ``json``.
_DEEPEST = 100


class _Unsupported(Exception):
    """Why a value cannot be taken apart; ``dump`` adds whose value it is."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the values of a type are taken apart into simpler ones and put together again."""

    tag: str
    parts: type
    """What the parts come in: ``str`` or ``list``."""
    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


def dump(value: Any, name: str = "value") -> Json:
    """Return ``value`` in a form that JSON can carry.

    :param name: what the caller knows the value as, for the error message.
    :raises TypeError: when ``value`` or something in it is of no supported type, belongs to a
        class that cannot be imported, is an unsaved model instance, or is nested too deeply.
    """
    try:
        return _encode(value, 0)
    except _Unsupported as exc:
        raise TypeError(
            f"argument {name!r}: {exc}; pass something simpler, or override the job's key()"
        ) from None


def load(encoded: Json) -> Any:
    """Return the value that ``dump`` was given; a model instance is read from its database.

    :raises MalformedCall: for anything that ``dump`` does not return, and for a class or row that
        is not there (any more). Only a database that cannot be asked raises its own error.
    """
    try:
        return _decode(encoded)
    except (MalformedCall, Error, SynchronousOnlyOperation):
        raise
    except Exception as exc:
        raise MalformedCall(f"an argument cannot be read: {type(exc).__name__}") from exc


def _encode(value: Any, depth: int) -> Json:
    if depth > _DEEPEST:
        raise _Unsupported("it contains itself or is nested too deeply")
    if _is_plain(value):
        return value
    if type(value) is list:
        depth += 1
        return [m if type(m) is str and m.isascii() else _encode(m, depth) for m in value]
    kind = _KINDS.get(type(value)) or _kind_of(value)
    return {"t": kind.tag, "v": _encode(kind.take(value), depth + 1)}


def _is_plain(value: Any) -> bool:
    """Return whether every JSON parser gives ``value`` back as it is."""
    cls = type(value)
    if cls is str:
        return bool(value.isascii() or not _SURROGATE.search(value))
    if cls is int:
        return bool(-_LARGEST_INT <= value <= _LARGEST_INT)
    return cls is bool or value is None


def _decode(encoded: Json) -> Any:
    if type(encoded) is list:
        return [_decode(member) for member in encoded]
    if type(encoded) is dict:
        return _rebuild(encoded)
    if type(encoded) in (str, int, bool) or encoded is None:
        return encoded
    raise MalformedCall(f"a {type(encoded).__name__} is never sent as it is")


def _rebuild(tagged: dict[str, Json]) -> Any:
    if tagged.keys() != {"t", "v"}:
        raise MalformedCall("an object that is no tagged value")
    kind, parts = _BY_TAG[tagged["t"]], _decode(tagged["v"])
    if type(parts) is not kind.parts:
        raise MalformedCall(f"a {kind.tag} made of {type(parts).__name__}")
    return kind.make(parts)


def _kind_of(value: Any) -> _Kind:
    """Return how ``value``, whose very type is not in the table, is taken apart."""
    from django.db.models import Model

    if isinstance(type(value), EnumMeta):
        return _ENUM
    if is_dataclass(type(value)):
        return _DATACLASS
    if isinstance(value, Model):  # also when it is wrapped, as request.user is
        return _MODEL
    raise _Unsupported(f"{value.__class__.__qualname__} is not supported")


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


def _text_parts(text: str) -> str:
    return _base64(text.encode("utf-8", "surrogatepass"))


def _make_text(parts: str) -> str:
    return _from_base64(parts).decode("utf-8", "surrogatepass")


def _clock_parts(moment: datetime | time) -> list[Any]:
    return [moment.replace(tzinfo=None).isoformat(), moment.fold, moment.tzinfo]


def _make_datetime(parts: list[Any]) -> datetime:
    text, fold, zone = parts
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _make_time(parts: list[Any]) -> time:
    text, fold, zone = parts
    return time.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _timedelta_parts(span: timedelta) -> list[int]:
    return [span.days, span.seconds, span.microseconds]


def _timezone_parts(zone: timezone) -> list[Any]:
    offset = zone.utcoffset(None)
    return [offset] if str(zone) == str(timezone(offset)) else [offset, str(zone)]


def _zone_key(zone: ZoneInfo) -> str:
    if not zone.key:
        raise _Unsupported("a ZoneInfo without a key is not supported")
    return zone.key


@lru_cache(maxsize=1024)
def _path_of(cls: type) -> str:
    """Return ``module:qualname``, from which any process gets ``cls``."""
    path = f"{cls.__module__}:{cls.__qualname__}"
    try:
        if _class_at(path) is cls:
            return path
    except (ImportError, LookupError, TypeError):
        pass
    raise _Unsupported(f"{cls.__qualname__} is not supported, as {path} cannot be imported")


def _class_at(path: str) -> Any:
    """Return the class at ``module:qualname``; no descriptor or ``__getattr__`` runs on the way."""
    module, _, qualname = path.partition(":")
    found: Any = import_module(module)
    for name in qualname.split("."):
        found = vars(found)[name]
        if not issubclass(type(found), type):
            raise TypeError(f"{path} is no class")
    return found


def _enum_parts(member: Enum) -> list[Any]:
    cls = type(member)
    if member._name_ in cls.__members__:
        return [_path_of(cls), member._name_]
    if isinstance(member, Flag):
        return [_path_of(cls), member._value_]
    raise _Unsupported(f"{member!r} is not a member of {cls.__qualname__}")


def _make_enum(parts: list[Any]) -> Enum:
    path, name = parts
    cls = _class_at(path)
    if not isinstance(cls, EnumMeta):
        raise MalformedCall(f"{path} is no enum")
    if issubclass(cls, Flag) and type(name) is int:
        return cls(name)
    return cls.__members__[name]


def _dataclass_parts(instance: Any) -> list[Any]:
    cls: type = type(instance)
    names = [field.name for field in fields(instance)]
    _refuse_other_state(cls, names, vars(instance) if hasattr(instance, "__dict__") else {})
    try:
        return [_path_of(cls), *([name, getattr(instance, name)] for name in names)]
    except AttributeError as exc:
        raise _Unsupported(f"a {cls.__qualname__} without {exc.name} is not supported") from exc


def _refuse_other_state(cls: type, names: list[str], state: dict[str, Any]) -> None:
    """Raise when two instances of ``cls`` with equal fields could differ all the same."""
    try:
        object.__new__(cls)
    except TypeError:
        raise _Unsupported(f"{cls.__qualname__} is not supported, being a built-in too") from None
    for name in state.keys() - names:
        if not _is_memo(cls, name):
            raise _Unsupported(f"{cls.__qualname__}.{name} is no field: it is not supported")


def _is_memo(cls: type, name: str) -> bool:
    memo = isinstance(getattr_static(cls, name, None), (cached_property, django_cached_property))
    return memo or name == "__orig_class__"  # set by Box[int](...)


def _make_dataclass(parts: list[Any]) -> Any:
    path, *pairs = parts
    cls: type = _class_at(path)
    if not is_dataclass(cls):
        raise MalformedCall(f"{path} is no dataclass")
    if [name for name, _ in pairs] != [field.name for field in fields(cls)]:
        raise MalformedCall(f"{path} has other fields")
    instance = object.__new__(cls)
    for name, value in pairs:
        object.__setattr__(instance, name, value)  # a frozen one allows no other way
    return instance


def _model_parts(instance: Any) -> list[Any]:
    meta, state = instance._meta, instance._state
    if state.adding or instance.pk is None:
        raise _Unsupported(f"an unsaved {meta.label} is not supported")
    return [meta.label, meta.pk.to_python(instance.pk), state.db]


def _make_model(parts: list[Any]) -> Any:
    from django.apps import apps

    label, pk, alias = parts
    try:
        return apps.get_model(label)._base_manager.using(alias).get(pk=pk)
    except (ObjectDoesNotExist, DataError) as exc:
        raise MalformedCall(f"there is no such {label} in database {alias!r}") from exc


_TABLE: list[tuple[type, type, Callable[[Any], Any], Callable[[Any], Any]]] = [
    (int, str, hex, partial(int, base=16)),
    (str, str, _text_parts, _make_text),
    (float, str, repr, float),
    (complex, str, repr, complex),
    (bytes, str, _base64, _from_base64),
    (bytearray, str, _base64, lambda text: bytearray(_from_base64(text))),
    (range, list, lambda it: [it.start, it.stop, it.step], lambda parts: range(*parts)),
    (tuple, list, list, tuple),
    (set, list, list, set),
    (frozenset, list, list, frozenset),
    (dict, list, lambda it: [list(item) for item in it.items()], dict),
    (datetime, list, _clock_parts, _make_datetime),
    (date, str, date.isoformat, date.fromisoformat),
    (time, list, _clock_parts, _make_time),
    (timedelta, list, _timedelta_parts, lambda parts: timedelta(*parts)),
    (timezone, list, _timezone_parts, lambda parts: timezone(*parts)),
    (ZoneInfo, str, _zone_key, ZoneInfo),
    (UUID, str, str, UUID),
    (Decimal, str, str, Decimal),
    *((cls, str, str, cls) for cls in (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)),
]
_ENUM = _Kind("enum", list, _enum_parts, _make_enum)
_DATACLASS = _Kind("dataclass", list, _dataclass_parts, _make_dataclass)
_MODEL = _Kind(MODEL, list, _model_parts, _make_model)
_KINDS = {cls: _Kind(cls.__name__, parts, take, make) for cls, parts, take, make in _TABLE}
_BY_TAG = {kind.tag: kind for kind in (*_KINDS.values(), _ENUM, _DATACLASS, _MODEL)}

NO_KEYWORDS: Json = dump({})
"""What most calls have."""
