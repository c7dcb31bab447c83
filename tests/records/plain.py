"""What queries mean, in Python as one would write it for a list; nothing of the package is used."""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import InvalidOperation
from enum import Enum
from typing import Any

from cacheback_app.records import Comparison, Query
from tests.records.models import Client

OPERATORS: dict[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQUAL: lambda a, b: a == b,
    Comparison.LESS_THAN: lambda a, b: a < b,
    Comparison.LESS_THAN_OR_EQUAL: lambda a, b: a <= b,
    Comparison.GREATER_THAN: lambda a, b: a > b,
    Comparison.GREATER_THAN_OR_EQUAL: lambda a, b: a >= b,
}


def find(records: Iterable[Any], queries: list[Query[Any]], *, distinct: bool = False) -> list[Any]:
    """Return those of ``records`` that fit all ``queries``."""
    found = [record for record in records if all(fits(record, query) for query in queries)]
    if not (distinct and queries):
        return found
    first: list[Any] = []
    for record in found:
        if not any(all(alike(record, other, query.key) for query in queries) for other in first):
            first.append(record)
    return first


def fits(record: Any, query: Query[Any]) -> bool:
    wanted = query.value if isinstance(query.value, list) else [query.value]
    value = getattr(record, query.key)
    held = value if isinstance(value, list) else [value]
    return any(compared(a, b, query.comparison) for a in held for b in wanted)


def alike(record: Any, other: Any, key: str) -> bool:
    """Tell whether two records have the same value; here one NaN is like another."""
    held, others = getattr(record, key), getattr(other, key)
    if isinstance(held, list) and isinstance(others, list):
        return len(held) == len(others) and all(map(same, held, others))
    return not isinstance(held, list) and not isinstance(others, list) and same(held, others)


def same(a: Any, b: Any) -> bool:
    return (is_nan(a) and is_nan(b)) or compared(a, b, Comparison.EQUAL)


def compared(a: Any, b: Any, comparison: Comparison) -> bool:
    a, b = simple(a), simple(b)
    if is_day(a) and isinstance(b, datetime):
        b = b.date()
    if is_day(b) and isinstance(a, datetime):
        a = a.date()
    try:
        return bool(OPERATORS[comparison](a, b))
    except (TypeError, InvalidOperation):  # which ordering a NaN is for a Decimal
        return False


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def simple(value: Any) -> Any:
    """Return a value without what a query doesn't care about: how a zone or a member is named."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        offset = value.utcoffset() or timedelta()
        return (value.replace(tzinfo=None) - offset).replace(tzinfo=UTC)
    if isinstance(value, Client):
        return vars(value)
    return value
