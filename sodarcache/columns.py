"""Values of columns as the ORM turns them, for statements that it does not make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .models import JSONCacheItem


@cache
def fields(names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the model's fields of these names."""
    return tuple(JSONCacheItem._meta.get_field(name) for name in names)


def stored(
    items: Sequence[JSONCacheItem], names: tuple[str, ...], connection: BaseDatabaseWrapper
) -> list[Iterator[Any]]:
    """Return the values of ``items`` as the ORM would pass them to the driver, by column."""
    return [
        _stored(field, map(attrgetter(field.attname), items), connection) for field in fields(names)
    ]


def _stored(field: Any, values: Iterable[Any], connection: BaseDatabaseWrapper) -> Iterator[Any]:
    known: dict[Any, Any] = {}  # in most columns there are few
    for value in values:
        if value not in known:
            known[value] = field.get_db_prep_save(value, connection)
        yield known[value]


def loaded(
    rows: Sequence[Sequence[Any]], names: tuple[str, ...], connection: BaseDatabaseWrapper
) -> Iterator[tuple[Any, ...]]:
    """Return rows that came from the driver as the ORM would give them."""
    loaders = [_loader(field, connection) for field in fields(names)]
    columns = zip(*rows, strict=True)  # none of no row
    return zip(*map(map, loaders, columns), strict=True)


def _loader(field: Any, connection: BaseDatabaseWrapper) -> Callable[[Any], Any]:
    column = field.get_col(JSONCacheItem._meta.db_table)
    converters = [
        *connection.ops.get_db_converters(column),
        *column.get_db_converters(connection),
    ]

    def load(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    return load
