"""INSERT ... ON CONFLICT DO UPDATE, through the ORM's own compiler.

``bulk_create(update_conflicts=True)`` is the same statement, but returns neither the UUID nor the
user of a row that was there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import JSONField, Value
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery

from .models import JSONCacheItem
from .packets import fitting

T = TypeVar("T")

BATCH = 1000
"""Items per statement, where the database takes that many parameters."""

_TRIES = 10
_DEADLOCKS = frozenset({"40P01", "40001", 1213, 1020})
"""What PostgreSQL (SQLSTATE) and MariaDB (error number) call a transaction that lost to another."""

_WRITTEN = ["data", "date_modified", "revision", "is_invalidated"]
_INSERTED = ["project", "app_name", "name", "user", "sodar_uuid", *_WRITTEN]
_UNIQUE = ["scope", "app_name", "name"]
_RETURNED = ["id", "user", "sodar_uuid", "date_modified", "scope"]


def upsert(items: Sequence[JSONCacheItem], using: str, *, keeps_user: bool) -> None:
    """Write unsaved items, each in the place of the one with its names, if there is one.

    They become what is in the database: their primary key, UUID and user may be those of the
    item that was there.

    :param keeps_user: whether an item that is there keeps its user.
    """
    updated = _WRITTEN if keeps_user else [*_WRITTEN, "user"]
    for batch in batches(items, BATCH, connections[using]):
        for part in fitting(batch, connections[using]):
            insert(part, using, updated)


def insert(items: Sequence[JSONCacheItem], using: str, updated: Sequence[str]) -> None:
    """Write unsaved items in one statement, changing only ``updated`` of those that are there."""
    query = InsertQuery(
        JSONCacheItem,
        on_conflict=OnConflict.UPDATE,
        update_fields=_fields(updated),
        unique_fields=_fields(_UNIQUE),
    )
    given = [item.data for item in items]
    for item in items:
        if item.data is None:
            item.data = Value(None, JSONField())  # JSON's null, as None would be SQL's
    try:
        # Raw: auto_now would put the time of the statement over that of a job's fetch.
        query.insert_values(_fields(_INSERTED), list(items), raw=True)
        rows = query.get_compiler(using=using).execute_sql(_returned(connections[using]))
    finally:
        for item, data in zip(items, given, strict=True):
            item.data = data
    if not rows:
        rows = _read_back(items, using)
    names = [field.attname for field in _fields(_RETURNED)]
    for item, row in zip(items, rows, strict=True):
        for name, value in zip(names, row, strict=True):
            setattr(item, name, value)
        item._state.adding, item._state.db = False, using


def settled(do: Callable[[], T], using: str) -> T:
    """Return what ``do`` returns, which is called anew while it loses a deadlock.

    Inside of a transaction it is called once: only who began that can begin it again.
    """
    connection = connections[using]
    for attempt in range(1, _TRIES):
        try:
            return do()
        except OperationalError as exc:
            if connection.in_atomic_block or _error_code(exc) not in _DEADLOCKS:
                raise
            time.sleep(0.002 * attempt)
    return do()


def atomically(do: Callable[[], T], using: str) -> T:
    """As ``settled``, in a transaction."""

    def in_transaction() -> T:
        with transaction.atomic(using=using):
            return do()

    return settled(in_transaction, using)


def batches(rows: Sequence[T], size: int, connection: BaseDatabaseWrapper) -> list[Sequence[T]]:
    """Return ``rows`` in parts that fit into one statement."""
    most = min(size, max(1, _parameters(connection) // len(_INSERTED)))
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _parameters(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor != "sqlite":
        return connection.features.max_query_params or 65_000  # PostgreSQL's protocol takes 65,535
    import sqlite3

    # Django 5 goes by 999, which SQLite has left behind in 2020.
    connection.ensure_connection()
    limit: int = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    return limit


def _fields(names: Sequence[str]) -> list[Any]:
    return [JSONCacheItem._meta.get_field(name) for name in names]


def _returned(connection: BaseDatabaseWrapper) -> list[Any] | None:
    can_return = connection.features.can_return_rows_from_bulk_insert
    return _fields(_RETURNED) if can_return else None


def _read_back(items: Sequence[JSONCacheItem], using: str) -> list[Any]:
    """Return the rows of ``items``, for MySQL, which has no RETURNING."""
    rows = []
    for item in items:
        key = {"project": item.project_id, "app_name": item.app_name, "name": item.name}
        found = JSONCacheItem.objects.using(using).filter(**key)
        rows.append(found.values_list(*_RETURNED).get())
    return rows


def _error_code(exc: OperationalError) -> Any:
    cause = exc.__cause__
    return getattr(cause, "sqlstate", None) or (exc.args[0] if exc.args else None)
