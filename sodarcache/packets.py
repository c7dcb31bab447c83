"""What fits into one statement of MariaDB and MySQL, which hang up on who sends more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .models import JSONCacheItem

_ALWAYS_FITS = 4_000_000
"""Bytes that need no question: the default of every version that Django supports is larger."""

_REST_OF_ROW = 400
"""Bytes of a row besides its data and its names: dates, UUIDs, numbers, quotes."""


def check_size(item: JSONCacheItem, connection: BaseDatabaseWrapper) -> None:
    """
    :raises ValueError: for data that makes a statement larger than the database takes.
    """
    if connection.vendor != "mysql":
        return
    size = _size(item)
    if size > _ALWAYS_FITS and size > (most := _most(connection.alias)):
        raise ValueError(
            f"data has {size:,} bytes, which cannot be stored: max_allowed_packet is {most:,}"
        )


def fitting(
    items: Sequence[JSONCacheItem], connection: BaseDatabaseWrapper
) -> Iterator[Sequence[JSONCacheItem]]:
    """Yield ``items`` in parts that fit, in their order."""
    sizes = [_size(item) for item in items] if connection.vendor == "mysql" else []
    if sum(sizes) <= _ALWAYS_FITS:
        yield items
        return
    most, start, total = _most(connection.alias), 0, 0
    for place, size in enumerate(sizes):
        if place > start and total + size > most:
            yield items[start:place]
            start, total = place, 0
        total += size
    yield items[start:]


def _size(item: JSONCacheItem) -> int:
    text = json.dumps([item.data, item.app_name, item.name])  # ASCII
    return _REST_OF_ROW + len(text) + sum(map(text.count, "\"'\\"))  # those are escaped


@cache
def _most(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        most: int = cursor.fetchone()[0]
    return most
