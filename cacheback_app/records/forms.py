"""Comparable values as SQLite compares them, exactly and in the same order.

Numbers that SQLite can hold as they are, are numbers. Everything else is text that begins with a
letter for its kind and is ordered as the values are, byte by byte: moments as microseconds of a
day, durations as microseconds, numbers of any size and precision as exponent and digits. SQLite
puts text after all numbers, so the kinds never mix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any

from .values import DAY, EPOCH, LISTS, Comparable, comparable, members, since_epoch

Form = int | float | str | None
"""What a column holds."""

Native = int | float

_LETTERS = {"text": "s", "moment": "d", "day": "d", "time": "t", "duration": "i", "uuid": "u"}
LETTERS = {**_LETTERS, "bytes": "b", "number": "n"}
"""The letters of the kinds that have an order."""

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # SQLite's integers
_EPOCH_DAY = EPOCH.toordinal()
# In UTC, a datetime can be in the day before the first one, or after the last one.
_DAY_BIAS = 10
_DURATION_BIAS = 10**21
# Decimal's exponents have 18 digits.
_EXPONENT_BIAS = 10**19
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_NUL_FREE = str.maketrans({"\x00": "\x01\x01", "\x01": "\x01\x02"})


def form(value: Comparable) -> Form:
    """Return what stands for ``value`` in a column of its own."""
    kind, represented = value
    if kind == "number":
        number = native(represented)
        return number_text(represented) if number is None else number
    return None if kind == "none" else text_form(value)


def column_form(value: object) -> Form:
    """Return what stands for a field's value in a column of its own."""
    make = _COLUMNS.get(type(value))
    return form(comparable(value)) if make is None else make(value)


def list_form(value: object) -> str:
    """Return what stands for a field's value in a column that holds lists: a JSON array.

    A space after it, which JSON ignores, tells a lone value from a list of it.
    """
    if isinstance(value, (list, tuple)):
        return _array(
            [  # a list is joined sooner than what a generator yields
                _text(member) if type(member) is str else text_form(comparable(member))
                for member in value
            ]
        )
    array = _array(map(text_form, members(value)))
    return array if isinstance(value, LISTS) else f"{array} "


def key_of(identifier: object) -> int | float | str:
    """Return what stands for a record's ``id``: in columns, in files and in memory.

    :raises ValueError: for None, and for what is not a number.
    """
    key = column_form(identifier)
    if key is None or key == "x":
        raise ValueError(f"{identifier!r} is no record's id")
    return key


def text_form(value: Comparable) -> str:
    """Return what stands for ``value`` where there is only text: as the member of a list."""
    kind, represented = value
    return _TEXTS[kind](represented)


def native(value: Native | Decimal) -> Native | None:
    """Return a number as SQLite holds it, None when it can't hold it exactly."""
    if isinstance(value, float):
        return value
    if value == (whole := _whole(value)) and SMALLEST <= whole <= LARGEST:
        return whole
    number = nearest_float(value)
    return number if number == value else None


def _whole(value: int | Decimal) -> int:
    # 10 ** 999999999 would fill the memory, and is beyond 64 bits like 10 ** 40.
    if isinstance(value, Decimal) and (value.is_infinite() or value.adjusted() > 40):
        return 2**64
    return int(value)


def nearest_float(value: Native | Decimal) -> float:
    """Return the float that is nearest to a number; an infinity beyond the largest ones."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def number_text(value: Native | Decimal) -> str:
    """Return a number as text that is ordered as numbers are, whatever their precision."""
    number = Decimal(value)
    if not number:
        return "n1"
    if number.is_infinite():
        return "n2~" if number > 0 else "n0-"
    sign, digits, _ = number.as_tuple()
    exponent = f"{number.adjusted() + _EXPONENT_BIAS:020d}"
    text = exponent + "".join(map(str, digits)).rstrip("0")
    return f"n0{text.translate(_COMPLEMENT)}~" if sign else f"n2{text}"


def _text(value: str) -> str:
    # SQLite's functions end text at a NUL.
    if "\x00" in value or "\x01" in value:
        value = value.translate(_NUL_FREE)
    return "s" + value


def moment_text(moment: int) -> str:
    """Return a moment; what it begins with is :func:`day_text` of its day."""
    day, microseconds = divmod(moment, DAY)
    return f"{day_text(day)}{microseconds:011d}"


def _datetime(value: datetime) -> str:
    return since_text(since_epoch(value))


def since_text(since: timedelta) -> str:
    """As ``moment_text``, of the days and seconds since the epoch, as Python has counted them."""
    day = _EPOCH_DAY + since.days + _DAY_BIAS
    # An f-string takes twice as long for this, and bulks have many datetimes.
    return "d%07d%05d%06d" % (day, since.seconds, since.microseconds)  # noqa: UP031


def day_text(day: int) -> str:
    """Return a day, which comes right before its moments."""
    return f"d{day + _DAY_BIAS:07d}"


def _integer(value: int) -> Form:
    return value if SMALLEST <= value <= LARGEST else form(("number", value))


def _array(texts: Iterable[str]) -> str:
    return f"[{','.join(map(encode_basestring_ascii, texts))}]"


def _sorted(texts: Iterable[str]) -> str:
    return _array(sorted(texts))


_TEXTS: dict[str, Callable[[Any], str]] = {
    "none": lambda value: "0",
    "nan": lambda value: "x",
    "number": number_text,
    "text": _text,
    "moment": moment_text,
    "day": day_text,
    "time": lambda value: f"t{value + DAY:012d}",
    "duration": lambda value: f"i{value + _DURATION_BIAS:022d}",
    "uuid": lambda value: "u" + value,
    "bytes": lambda value: "b" + value.hex(),
    "object": lambda parts: "o" + _sorted(_array(map(text_form, part)) for part in parts),
    "list": lambda parts: "l" + _array(map(text_form, parts)),
    "set": lambda parts: "e" + _sorted(map(text_form, parts)),
}

# The most frequent types, without the detour through what makes any two values comparable.
_COLUMNS: dict[type, Callable[[Any], Form]] = {
    type(None): lambda value: None,
    bool: int,
    float: lambda value: "x" if math.isnan(value) else value,
    str: _text,
    int: _integer,
    datetime: _datetime,
}
