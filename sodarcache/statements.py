"""INSERT ... ON CONFLICT DO UPDATE for any number of rows.

The ORM makes it for one, once. To have it made for each set takes longer than the database does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Value
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery

from .columns import fields, stored
from .models import JSONCacheItem

WRITTEN = ("date_modified", "revision", "is_invalidated", "data")
"""The fields that a set gives new values."""
INSERTED = ("project", "app_name", "name", "user", "sodar_uuid", *WRITTEN)
RETURNED = ("id", "user", "sodar_uuid", "scope")

_UNIQUE = ("scope", "app_name", "name")
_MOST_JSON = 32_000_000
"""Characters of rows that are sent as one JSON. An array holds 256 MB once it is parsed, where a
digit and its comma take twelve bytes."""
_ROW = f"({', '.join(['%s'] * len(INSERTED))})"


def upsert_of(
    items: Sequence[JSONCacheItem], connection: BaseDatabaseWrapper, updated: Sequence[str]
) -> tuple[str, list[Any]]:
    """Return the statement that writes ``items``, and its parameters.

    It changes only the fields ``updated`` of those that are there, and returns the fields
    ``RETURNED`` where the database can.
    """
    head, tail = _around_rows(connection.alias, tuple(updated))
    as_rows = _as_json if connection.vendor == "postgresql" and len(items) > 1 else _as_values
    rows, parameters = as_rows(items, connection)
    return f"{head}{rows}{tail}", parameters


class LivingUser(Value):
    """The key of an item's user, for the ORM's own statements; see :func:`_living`."""

    def __init__(self, item: JSONCacheItem) -> None:
        super().__init__(item.user_id, *fields(("user",)))

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, parameters = super().as_sql(compiler, connection)
        return _living(sql, connection), parameters


def returns_rows(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the statement answers with rows."""
    return connection.features.can_return_rows_from_bulk_insert


def _user_of(items: Sequence[JSONCacheItem], key: str, connection: BaseDatabaseWrapper) -> str:
    is_nobodys = all(item.user_id is None for item in items)
    return key if is_nobodys else _living(key, connection)


def _living(key: str, connection: BaseDatabaseWrapper) -> str:
    """Return the SQL of a user's key, which is NULL when the user was deleted meanwhile.

    As if that had been a moment later, and at no further query. The constraint would speak up at
    the end of the caller's transaction, where nobody knows any more what it is about.
    """
    [user] = fields(("user",))
    users = user.remote_field.model._meta
    table, column = map(connection.ops.quote_name, (users.db_table, users.pk.column))
    return f"(SELECT {column} FROM {table} WHERE {column} = {key})"  # noqa: S608


@cache
def _around_rows(using: str, updated: tuple[str, ...]) -> tuple[str, str]:
    query = InsertQuery(
        JSONCacheItem,
        on_conflict=OnConflict.UPDATE,
        update_fields=fields(updated),
        unique_fields=fields(_UNIQUE),
    )
    query.insert_values(fields(INSERTED), [JSONCacheItem()], raw=True)
    compiler = query.get_compiler(using=using)
    if returns_rows(connections[using]):
        compiler.returning_fields = fields(RETURNED)
    [(sql, _)] = compiler.as_sql()
    head, _, tail = sql.partition(f"VALUES {_ROW}")
    return head, tail


def _as_values(
    items: Sequence[JSONCacheItem], connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    adapt = connection.ops.adapt_json_value
    data = (adapt(item.data, None) for item in items)
    rows = zip(*stored(items, INSERTED[:-1], connection), data, strict=True)
    values = dict.fromkeys(INSERTED, "%s")
    values["user"] = _user_of(items, "%s", connection)
    row = f"({', '.join(values.values())})"
    return f"VALUES {', '.join([row] * len(items))}", list(chain.from_iterable(rows))


def _as_json(
    items: Sequence[JSONCacheItem], connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    """Return one parameter, as the driver would turn nine of each row into text in Python."""
    columns = fields(INSERTED)
    names = [field.column for field in columns]
    data = (item.data for item in items)
    rows = zip(*stored(items, INSERTED[:-1], connection), data, strict=True)
    text = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)
    if len(text) > _MOST_JSON:
        return _as_values(items, connection)
    quoted = [connection.ops.quote_name(name) for name in names]
    types = [field.db_type(connection) for field in columns]
    record = ", ".join(map(" ".join, zip(quoted, types, strict=True)))
    selected = dict(zip(INSERTED, quoted, strict=True))
    selected["user"] = _user_of(items, f"new.{selected['user']}", connection)
    # A null in JSON is SQL's there, but that of data is JSON's.
    selected["data"] = f"COALESCE({selected['data']}, 'null')"
    listed = ", ".join(selected.values())
    return f"SELECT {listed} FROM jsonb_to_recordset(%s::jsonb) AS new ({record})", [text]  # noqa: S608
