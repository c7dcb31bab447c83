"""What the site caches: rows of a table, read slowly. Workers find the jobs here."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.db import connection

from cacheback_app import Call, Job

from . import journal

FETCH = 0.1
"""Seconds that a fetch takes."""


DOWN = "upstream-is-down"
"""A file beside the journal: while it is there, every fetch raises."""


class UpstreamDown(Exception):
    """The upstream gives no answer."""


class Price(Job):
    """Becomes stale every few seconds, and is read by processes whose clocks are right."""

    lifetime = 3
    refresh_timeout = 2
    error_backoff = 1

    def fetch(self, name: str) -> dict[str, Any]:
        began = time.monotonic()
        journal.write("fetch", key=name, began=began)
        number = upstream(name)
        time.sleep(FETCH)
        if Path(os.environ[journal.FOLDER], DOWN).exists():
            journal.write("fetch failed", key=name, began=began)
            raise UpstreamDown(name)
        return {"origin": "fetch", "number": number, "began": began}

    def process_result(
        self, result: Any, call: Call, cache_status: int, sync_fetch: bool | None = None
    ) -> Any:
        return result, cache_status


class Report(Price):
    """Stays fresh for longer than the clocks are apart: only changes make it stale."""

    lifetime = 120


JOBS: dict[str, Price] = {"price": Price(), "report": Report()}


def job_of(key: str) -> Price:
    """Return the job that caches ``key``, which begins with its name."""
    return JOBS[key.partition("-")[0]]


def create(keys: list[str]) -> None:
    """Make the upstream's table, with a row a key."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE upstream (name text PRIMARY KEY, number bigint NOT NULL)")
        cursor.executemany("INSERT INTO upstream VALUES (%s, 0)", [(key,) for key in keys])


def upstream(key: str) -> int:
    """Return the number of ``key``, which every change moves on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM upstream WHERE name = %s", [key])
        return int(cursor.fetchone()[0])


def move_on(key: str) -> int:
    """Change the upstream; return the new number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE upstream SET number = number + 1 WHERE name = %s RETURNING number", [key]
        )
        return int(cursor.fetchone()[0])
