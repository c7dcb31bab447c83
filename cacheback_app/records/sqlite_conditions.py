"""Queries as SQL that finds what :mod:`.matching` says, in columns that hold :mod:`.forms`.

The text is put together here: SQLAlchemy's expressions say the same, and cost as much as finding
and reading a hundred records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .forms import (
    LETTERS,
    Form,
    Native,
    day_text,
    form,
    moment_text,
    native,
    nearest_float,
    number_text,
    text_form,
)
from .model import Field
from .query import Comparison, Query
from .values import NAN, Comparable, day_of, members

_MANY = 100
"""Values from which on a statement gets them as one argument, and a column's days are all read."""

_LESS = (Comparison.LESS_THAN, Comparison.LESS_THAN_OR_EQUAL)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, as text and its arguments."""

    text: str
    arguments: tuple[Form, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{self.text} AND {other.text}", self.arguments + other.arguments)

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.text} OR {other.text})", self.arguments + other.arguments)


NEVER = Condition("0")


def condition(column: str, field: Field, query: Query[Any]) -> Condition:
    """Return the condition under which a row fits ``query``.

    :param column: its name, quoted as it has to be.
    """
    if not field.is_list:
        return _fits(column, query, form)
    inner = _fits("value", query, text_form)
    text = f"EXISTS (SELECT 1 FROM json_each({column}) WHERE {inner.text})"  # noqa: S608
    return Condition(text, inner.arguments)


def _fits(column: str, query: Query[Any], form_of: Callable[[Comparable], Form]) -> Condition:
    wanted = members(query.value)
    if query.comparison is Comparison.EQUAL:
        return _any(_equal(column, wanted, form_of))
    return _any(_ordered(column, wanted[0], query.comparison, form_of))


def _any(conditions: Iterable[Condition]) -> Condition:
    found = list(conditions)
    if not found:
        return NEVER
    result = found[0]
    for other in found[1:]:
        result |= other
    return result


def _equal(
    column: str, wanted: Iterable[Comparable], form_of: Callable[[Comparable], Form]
) -> Iterator[Condition]:
    forms: dict[Form, None] = {}
    days: dict[str, None] = {}
    for value in wanted:
        if value == NAN:
            continue
        wanted_form = form_of(value)
        if wanted_form is None:
            yield Condition(f"{column} IS NULL")
        elif value[0] == "day":
            days[day_text(value[1])] = None
        else:
            forms[wanted_form] = None
            if value[0] == "moment":
                forms[day_text(day_of(value[1]))] = None
    if len(days) > _MANY:
        yield _is_one_of(f"substr({column}, 1, {len(next(iter(days)))})", days)
    else:
        for day in days:
            yield Condition(f"{column} BETWEEN ? AND ?", (day, f"{day}~"))
    if forms:
        yield _is_one_of(column, forms)


def _is_one_of(column: str, forms: Iterable[Form]) -> Condition:
    """Compare with any number of forms; SQLite has a limit on the arguments of a statement."""
    arguments = list(forms)
    if len(arguments) <= _MANY:
        return Condition(f"{column} IN ({', '.join('?' * len(arguments))})", tuple(arguments))
    # Not floats: SQLite does not read each of them from JSON as the number that it is.
    floats = [form for form in arguments if isinstance(form, float)]
    others = json.dumps([form for form in arguments if not isinstance(form, float)])
    among = Condition(f"{column} IN (SELECT value FROM json_each(?))", (others,))  # noqa: S608
    if not floats:
        return among
    return among | Condition(f"{column} IN ({', '.join('?' * len(floats))})", tuple(floats))


def _ordered(
    column: str,
    wanted: Comparable,
    comparison: Comparison,
    form_of: Callable[[Comparable], Form],
) -> Iterator[Condition]:
    kind, value = wanted
    if wanted == NAN:
        return
    if kind == "number":
        if form_of is form:
            yield _natively(column, value, comparison)
        yield _within(column, "n", number_text(value), comparison)
    elif kind == "moment":
        yield _moments(column, value, comparison)
    elif kind == "day":
        yield _days(column, value, comparison)
    else:
        yield _within(column, LETTERS[kind], text_form(wanted), comparison)


def _within(column: str, letter: str, text: str, comparison: Comparison) -> Condition:
    """Compare with text of a kind, and with nothing else."""
    compared = _compare(column, text, comparison)
    if comparison in _LESS:
        return Condition(f"{column} >= ?", (letter,)) & compared
    return compared & Condition(f"{column} < ?", (chr(ord(letter) + 1),))


def _natively(column: str, value: Native | Decimal, comparison: Comparison) -> Condition:
    """Compare with those numbers that are in the column as such."""
    is_less = comparison in _LESS
    bound = native(value)
    if bound is None:
        # No number of SQLite's equals it. The nearest one below, or above, does as well.
        bound = _below(value) if is_less else -_below(-value)
        comparison = Comparison.LESS_THAN_OR_EQUAL if is_less else Comparison.GREATER_THAN_OR_EQUAL
    compared = _compare(column, bound, comparison)
    return compared if is_less else compared & Condition(f"{column} < ''")


def _below(value: Native | Decimal) -> Native:
    """Return the largest number below ``value``, which none equals, that SQLite can hold."""
    nearest = nearest_float(value)
    below = nearest if nearest < value else math.nextafter(nearest, -math.inf)
    if -(2**63) < value < 2**63:
        return max(below, math.floor(value))
    return below


def _moments(column: str, moment: int, comparison: Comparison) -> Condition:
    """Compare with a moment; a day in the column is compared with the moment's day."""
    day = day_text(day_of(moment))
    compared = _within(column, "d", moment_text(moment), comparison)
    if comparison is Comparison.LESS_THAN:  # its day sorts before it, and is no earlier day
        return compared & Condition(f"{column} != ?", (day,))
    if comparison is Comparison.GREATER_THAN_OR_EQUAL:
        return compared | Condition(f"{column} = ?", (day,))
    return compared


def _days(column: str, day: int, comparison: Comparison) -> Condition:
    """Compare with a day as a whole."""
    after = {Comparison.LESS_THAN_OR_EQUAL: 1, Comparison.GREATER_THAN: 1}.get(comparison, 0)
    simple = Comparison.LESS_THAN if comparison in _LESS else Comparison.GREATER_THAN_OR_EQUAL
    return _within(column, "d", day_text(day + after), simple)


def _compare(column: str, value: Form, comparison: Comparison) -> Condition:
    return Condition(f"{column} {comparison.value} ?", (value,))
