"""Which values a query finds. ``JSONCache`` asks these functions, SQL is made to say the same."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .query import Comparison, Query
from .values import NAN, Comparable, day_of, members

Test = Callable[[Comparable], bool]
"""Whether a value, or one member of a list, fits."""

_ORDER: dict[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.LESS_THAN: operator.lt,
    Comparison.LESS_THAN_OR_EQUAL: operator.le,
    Comparison.GREATER_THAN: operator.gt,
    Comparison.GREATER_THAN_OR_EQUAL: operator.ge,
}


def test_of(query: Query[object]) -> Callable[[object], bool]:
    """Return the function that says whether a field's value fits ``query``."""
    wanted = members(query.value)
    if query.comparison is Comparison.EQUAL:
        test = _equality(wanted)
    else:
        test = _order(wanted[0], _ORDER[query.comparison])
    return lambda value: any(map(test, members(value)))


def looked_up(wanted: list[Comparable]) -> frozenset[Comparable]:
    """Return all that equals one of ``wanted``, apart from the moments of a day in it."""
    days = {("day", day_of(moment)) for kind, moment in wanted if kind == "moment"}
    return frozenset(wanted) - {NAN} | days


def _equality(wanted: list[Comparable]) -> Test:
    exact = looked_up(wanted)
    days = {day for kind, day in wanted if kind == "day"}
    if not days:
        return exact.__contains__
    return lambda value: value in exact or (value[0] == "moment" and day_of(value[1]) in days)


def _order(wanted: Comparable, compare: Callable[[object, object], bool]) -> Test:
    """Return a test for values of one kind. Moments and days are compared day by day."""
    wanted_kind, wanted_value = wanted
    if wanted == NAN:
        return lambda value: False

    def test(value: Comparable) -> bool:
        kind, represented = value
        if kind == wanted_kind:
            return compare(represented, wanted_value)
        if (kind, wanted_kind) == ("moment", "day"):
            return compare(day_of(represented), wanted_value)
        if (kind, wanted_kind) == ("day", "moment"):
            return compare(represented, day_of(wanted_value))
        return False

    return test
