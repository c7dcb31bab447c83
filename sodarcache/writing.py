"""Writing items, each in the place of the one with its names, for racing writers, too.

``bulk_create(update_conflicts=True)`` is the same statement, but returns neither the UUID nor the
user of a row that was there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .columns import fields, loaded
from .models import JSONCacheItem
from .packets import fitting
from .statements import INSERTED, RETURNED, WRITTEN, returns_rows, upsert_of

T = TypeVar("T")

BATCH = 1000
"""Items per statement, where the database takes that many parameters."""

_TRIES = 10
_DEADLOCKS = frozenset({"40P01", "40001", 1213, 1020})
"""What PostgreSQL (SQLSTATE) and MariaDB (error number) call a transaction that lost to another."""


def upsert(items: Sequence[JSONCacheItem], using: str, *, keeps_user: bool) -> None:
    """Write unsaved items, each in the place of the one with its names, if there is one.

    They become what is in the database: their primary key, UUID and user may be those of the
    item that was there.

    :param keeps_user: whether an item that is there keeps its user.
    """
    updated = WRITTEN if keeps_user else [*WRITTEN, "user"]
    for batch in batches(items, BATCH, connections[using]):
        for part in fitting(batch, connections[using]):
            insert(part, using, updated)


def insert(items: Sequence[JSONCacheItem], using: str, updated: Sequence[str]) -> None:
    """Write unsaved items in one statement, changing only ``updated`` of those that are there."""
    connection = connections[using]
    sql, parameters = upsert_of(items, connection, updated)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = (
            loaded(cursor.fetchall(), RETURNED, connection)
            if returns_rows(connection)
            else _read_back(items, using)
        )
    names = [field.attname for field in fields(RETURNED)]
    for item, row in zip(items, rows, strict=True):
        for name, value in zip(names, row, strict=True):
            setattr(item, name, value)
        item._state.adding, item._state.db = False, using


def settled(do: Callable[[], T], using: str) -> T:
    """Return what ``do`` returns, which is called anew while it loses a deadlock, and once when it
    refers to what was being deleted.

    Inside of a transaction it is called once: only who began that can begin it again.
    """
    connection = connections[using]
    for attempt in range(1, _TRIES):
        try:
            return do()
        except (IntegrityError, OperationalError) as exc:
            may_do = attempt == 1 if isinstance(exc, IntegrityError) else _is_deadlock(exc)
            if connection.in_atomic_block or not may_do:
                raise
            time.sleep(0.002 * attempt)
    return do()


def atomically(do: Callable[[], T], using: str) -> T:
    """As ``settled``, in a transaction."""

    def in_transaction() -> T:
        with transaction.atomic(using=using):
            return do()

    return settled(in_transaction, using)


def check_now(using: str) -> None:
    """Have the foreign keys checked of what was written in a transaction that goes on.

    PostgreSQL would do that at its end, where nobody can answer for it any more. From here on the
    rows that they refer to stay until then.

    :raises IntegrityError: when one refers to what was deleted meanwhile.
    """
    connection = connections[using]
    if connection.in_atomic_block and connection.vendor == "postgresql":
        connection.check_constraints()


def batches(rows: Sequence[T], size: int, connection: BaseDatabaseWrapper) -> list[Sequence[T]]:
    """Return ``rows`` in parts that fit into one statement."""
    most = min(size, max(1, _parameters(connection) // len(INSERTED)))
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _parameters(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor != "sqlite":
        return connection.features.max_query_params or 65_000  # PostgreSQL's protocol takes 65,535
    import sqlite3

    # Django 5 goes by 999, which SQLite has left behind in 2020.
    connection.ensure_connection()
    limit: int = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    return limit


def _read_back(items: Sequence[JSONCacheItem], using: str) -> list[Any]:
    """Return the rows of ``items``, for MySQL, which has no RETURNING."""
    rows = []
    for item in items:
        key = {"project": item.project_id, "app_name": item.app_name, "name": item.name}
        found = JSONCacheItem.objects.using(using).filter(**key)
        rows.append(found.values_list(*RETURNED).get())
    return rows


def _is_deadlock(exc: OperationalError) -> bool:
    code = getattr(exc.__cause__, "sqlstate", None) or (exc.args[0] if exc.args else None)
    return code in _DEADLOCKS
