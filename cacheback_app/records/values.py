"""Values of fields in a form in which any two can be compared.

Python's own comparisons, with four additions that a query needs: a datetime without time zone is in
UTC, an enum's member counts as its value, objects are equal when their fields are, and what Python
refuses to compare is merely unequal. Numbers are compared as Python does it: ``1``, ``True``,
``1.0`` and ``Decimal(1)`` are one value, and ``0.1`` is not ``Decimal("0.1")``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

Comparable = tuple[str, Any]
"""The kind of a value, and what represents it. Equal values have equal ones, which are hashable."""

NONE: Comparable = ("none", None)
NAN: Comparable = ("nan", None)
"""Not a number: equal to nothing when queries ask, one value where values are told apart."""

ORDERED = frozenset({"number", "text", "moment", "day", "time", "duration", "uuid", "bytes"})
"""The kinds whose values come before and after each other."""

LISTS = (list, tuple, set, frozenset)
"""What counts as its members, as a field and as the value of a query."""

DAY = 86_400_000_000
"""Microseconds of a day. The unit of moments, counted from the day before year 1."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
_EPOCH_MOMENT = EPOCH.toordinal() * DAY


def members(value: object) -> list[Comparable]:
    """Return what a query may find in ``value``: the members of a list, or the value itself."""
    if isinstance(value, LISTS):
        found = [comparable(member) for member in value]
        return sorted(found, key=repr) if isinstance(value, (set, frozenset)) else found
    return [comparable(value)]


def comparable(value: object) -> Comparable:
    """Return ``value`` as its kind and what represents it.

    :raises TypeError: for a value that JSON could not hold in any form.
    """
    make = _KINDS.get(type(value)) or _kind_of(value)
    return make(value)


def day_of(moment: int) -> int:
    """Return the day (``date.toordinal``) in UTC that a moment is in."""
    return moment // DAY


def _kind_of(value: object) -> Callable[[Any], Comparable]:
    if isinstance(value, Enum):
        return _member
    if isinstance(value, Mapping):
        return _mapping
    for cls, make in _KINDS.items():
        if isinstance(value, cls):
            return make
    if dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"):
        return _object
    return _simplified


def _number(value: float | Decimal) -> Comparable:
    is_nan = value.is_nan() if isinstance(value, Decimal) else math.isnan(value)
    return NAN if is_nan else ("number", value)


def since_epoch(value: datetime) -> timedelta:
    """Return the time since :data:`EPOCH`; without time zone, ``value`` is in UTC."""
    try:
        return value - EPOCH
    except TypeError:
        return value.replace(tzinfo=None) - _NAIVE_EPOCH


def _moment(value: datetime) -> Comparable:
    return ("moment", _EPOCH_MOMENT + _microseconds(since_epoch(value)))


def _time(value: time) -> Comparable:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    offset = _microseconds(value.utcoffset() or timedelta())
    return ("time", seconds * 1_000_000 + value.microsecond - offset)


def _microseconds(value: timedelta) -> int:
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


def _member(value: Enum) -> Comparable:
    return comparable(value.value)


def _object(value: Any) -> Comparable:
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return _mapping({name: getattr(value, name) for name in names})
    return _mapping(dict(value))


def _mapping(value: Mapping[Any, object]) -> Comparable:
    return (
        "object",
        frozenset((comparable(key), nested(member)) for key, member in value.items()),
    )


def nested(value: object) -> Comparable:
    """Return a value inside of another, where a list is a value like any other."""
    if isinstance(value, (set, frozenset)):
        return ("set", frozenset(map(nested, value)))
    if isinstance(value, LISTS):
        return ("list", tuple(map(nested, value)))
    return comparable(value)


def _simplified(value: object) -> Comparable:
    """Return a value of any other type (a path, an address, a URL) as its text in JSON."""
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        simple = to_jsonable_python(value)
    except PydanticSerializationError as exc:
        raise TypeError(f"a {type(value).__qualname__} can't be compared with a field") from exc
    return comparable(simple)


def _tagged(kind: str, represent: Callable[[Any], object] | None = None) -> Any:
    if represent is None:
        return lambda value: (kind, value)
    return lambda value: (kind, represent(value))


# In this order: a bool is an int, and a datetime is a date.
_KINDS: dict[type, Callable[[Any], Comparable]] = {
    type(None): lambda value: NONE,
    bool: _tagged("number"),
    int: _tagged("number"),
    float: _number,
    Decimal: _number,
    str: _tagged("text", str.__str__),
    datetime: _moment,
    date: _tagged("day", date.toordinal),
    time: _time,
    timedelta: _tagged("duration", _microseconds),
    UUID: _tagged("uuid", lambda value: value.hex),
    bytes: _tagged("bytes"),
    bytearray: _tagged("bytes", bytes),
    **dict.fromkeys(LISTS, partial(nested)),
}
