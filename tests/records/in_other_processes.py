"""What tests.records.test_processes runs in other processes."""

import os
import random
from typing import Any

from cacheback_app.records import RecordCache, Shape
from tests.records.conftest import KINDS
from tests.records.models import Tracker, endpoint_of


def cache_of(kind: str, folder: str, **options: Any) -> RecordCache[Tracker]:
    return KINDS[kind](folder, None, endpoint_of(Tracker), **options)


def add_and_delete(index: int, kind: str, folder: str, count: int) -> None:
    """Add records of one's own, update a shared one, and delete what another one might revive."""
    cache = cache_of(kind, folder)
    for number in range(count):
        mine = index * 1000 + number
        cache.add_entry(Tracker(mine, "x" * 300), Tracker(-1, f"{index}"))
        if number % 3 == 0:
            cache.delete_entry({"id": mine})
        if number % 10 == 0:
            cache.keep_answer(f"{index}", [Tracker(mine + 500), Tracker(-2)], Shape.LIST)


def write_pairs(kind: str, folder: str, acknowledged: str) -> None:
    """Save records in pairs until killed; tell of each pair when it is durable."""
    cache = cache_of(kind, folder)
    log = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    number = max((record.id for record in cache.load_cache()), default=0) // 2
    while True:
        number += 1
        name = "x" * random.randrange(20_000)
        cache.add_entry(Tracker(2 * number, name), Tracker(2 * number + 1, name))
        if number % 4 == 0:
            cache.delete_entry({"id": 2 * number - 2}, {"id": 2 * number - 1})
        os.write(log, b"%d\n" % number)
