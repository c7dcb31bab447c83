"""The forms of a column's values, all at once; :mod:`.forms` has those of one value.

A column whose values are of one type is made without a call for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import chain
from operator import attrgetter
from typing import Any

from .forms import LARGEST, SMALLEST, Form, column_form, list_form, since_text
from .values import EPOCH


def column_forms(values: Sequence[object]) -> Sequence[Form]:
    """Return the form of each value of a field."""
    kinds = set(map(type, values))
    make = _WHOLE.get(kinds.pop()) if len(kinds) == 1 else None
    found = None if make is None else make(values)
    return list(map(column_form, values)) if found is None else found


def list_forms(values: Sequence[Any]) -> Sequence[Form]:
    """Return the form of each value of a field that may hold lists."""
    if set(map(type, values)) == {list}:
        members = list(chain.from_iterable(values))
        if set(map(type, members)) <= {str} and _is_plain("".join(members)):
            return ['["s' + '","s'.join(each) + '"]' if each else "[]" for each in values]
    return list(map(list_form, values))


def are_native(values: Sequence[int]) -> bool:
    """Return whether SQLite can hold all of these numbers; there has to be one."""
    return min(values) >= SMALLEST and max(values) <= LARGEST


def zones(values: Sequence[datetime]) -> set[tzinfo | None]:
    """Return the time zones of moments."""
    return set(map(attrgetter("tzinfo"), values))


def _is_plain(text: str) -> bool:
    """Return whether JSON has nothing to escape in ``text``."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _texts(values: Sequence[str]) -> Sequence[Form] | None:
    joined = "".join(values)
    is_short = "\x00" not in joined and "\x01" not in joined
    return ["s" + value for value in values] if is_short else None


def _moments(values: Sequence[datetime]) -> Sequence[Form] | None:
    return None if zones(values) != {UTC} else [since_text(value - EPOCH) for value in values]


_WHOLE: dict[type, Callable[[Sequence[Any]], Sequence[Form] | None]] = {
    int: lambda values: values if are_native(values) else None,
    str: _texts,
    datetime: _moments,
}
