"""The project cache on SQLite and PostgreSQL, beside the same done with plain ORM calls.

The floor is how django-sodar-core 1.4 goes about it: read the row, save it; load it for its date;
load the rows to delete them. It runs on this table, as that app can't be installed beside this one.
SQLite is in WAL mode, and as its build has it otherwise: where ``secure_delete`` is on, a DELETE
overwrites what it frees, so that one row compares with the bare statement.
"""

import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.core.management import call_command
from django.db import connections, reset_queries
from django.test.utils import CaptureQueriesContext, override_settings

from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, duration, plain, timed
from benchmarks.timing import calls, interleaved

APP = "sodarcache"
KB = {"rows": ["x" * 100] * 10}
TEN_KB = {"rows": ["x" * 1000] * 10}
FIVE_MB = {"rows": ["x" * 1000] * 5000}
PROJECTS = 1000
WAIT = 0.01
"""Seconds that an upstream takes to answer."""


class _To:
    """Has the whole site use one database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self._alias

    db_for_write = db_for_read


def run(environment: Environment) -> Iterator[Row]:
    call_command("migrate", verbosity=0)
    yield from _rows("SQLite (WAL)", "default")
    with _postgres() as alias:
        if alias is not None:
            yield from _rows("PostgreSQL", alias)


def _rows(database: str, alias: str) -> Iterator[Row]:
    from sodarcache.models import JSONCacheItem, Project

    with override_settings(DATABASE_ROUTERS=[_To(alias)]):
        if alias != "default":
            call_command("migrate", database=alias, verbosity=0)
        project = Project.objects.create(title="One")
        yield from _single(database, alias, project)
        yield from _many(database, alias, project)
        JSONCacheItem.objects.all().delete()
        yield from _syncs(database, alias)
        Project.objects.all().delete()
        connections[alias].close()


def _single(database: str, alias: str, project: Any) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.models import JSONCacheItem

    items = JSONCacheItem.objects.filter(project=project, app_name=APP)

    def set_plainly() -> None:
        _set_plainly("a", project)

    def set_ours() -> None:
        SODARCacheAPI.set_cache_item(APP, "a", KB, project=project)

    set_ours()
    for name, act in ((FLOOR, set_plainly), (OURS, set_ours)):
        with CaptureQueriesContext(connections[alias]) as captured:
            act()
        yield plain(f"queries of a set ({name}), {database}", {OURS: len(captured)})
    blocks = {FLOOR: calls("f()", f=set_plainly), OURS: calls("f()", f=set_ours)}
    yield timed(f"set, 1 KB, {database}", interleaved(blocks, number=20, rounds=60), 0.7)

    SODARCacheAPI.set_cache_item(APP, "large", FIVE_MB, project=project)
    blocks = {
        FLOOR: calls("q.filter(name='large').first().date_modified.timestamp()", q=items),
        OURS: calls("f('sodarcache', 'large', p)", f=SODARCacheAPI.get_update_time, p=project),
    }
    title = f"get_update_time, 5 MB, {database}"
    yield timed(title, interleaved(blocks, number=2, rounds=15), 0.02)


def _set_plainly(name: str, project: Any) -> None:
    from sodarcache.models import JSONCacheItem

    found = JSONCacheItem.objects.filter(project=project, app_name=APP, name=name).first()
    item = found or JSONCacheItem(app_name=APP, name=name)
    item.project, item.data = project, KB
    item.save()


def _many(database: str, alias: str, project: Any) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.models import JSONCacheItem
    from sodarcache.new_item import NewItem

    def fill() -> None:
        with override_settings(DEBUG=False):
            SODARCacheAPI.set_cache_items(
                NewItem(APP, f"n{n}", TEN_KB, project=project) for n in range(10_000)
            )
        reset_queries()

    def time_of(act: Callable[[], object]) -> float:
        fill()
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    def delete_plainly() -> None:
        found = JSONCacheItem.objects.all()
        if found:  # which is what loads them
            found.count()
            found.delete()

    spent: dict[str, tuple[float, float]] = {}
    for name, act in ((FLOOR, delete_plainly), (OURS, SODARCacheAPI.delete_cache)):
        seconds = time_of(act)
        fill()
        spent[name] = seconds, _allocated(act)
    for place, unit, limit in ((0, "s", 0.05), (1, "MB", None)):
        values = {name: round(numbers[place], 3) for name, numbers in spent.items()}
        at_most = values[FLOOR] * limit if limit else 10
        yield plain(f"delete_cache, 10,000 x 10 KB, {unit}, {database}", values, limit=at_most)

    def delete_barely() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"DELETE FROM {JSONCacheItem._meta.db_table}")

    bare = {FLOOR: time_of(delete_barely), OURS: time_of(SODARCacheAPI.delete_cache)}
    yield plain(f"delete_cache, 10,000 x 10 KB / a bare DELETE, {database}", bare, show=duration)

    numbers = count()

    def set_each() -> None:
        for _ in range(1000):
            _set_plainly(f"m{next(numbers)}", project)

    def set_all() -> None:
        SODARCacheAPI.set_cache_items(
            NewItem(APP, f"m{next(numbers)}", KB, project=project) for _ in range(10_000)
        )

    blocks = {FLOOR: calls("f()", f=set_each), OURS: calls("f()", f=set_all)}
    samples = interleaved(blocks, number=1, rounds=3)
    samples[FLOOR].seconds[:] = [10 * seconds for seconds in samples[FLOOR].seconds]
    title = f"set_cache_items, 10,000 x 1 KB / as many plain sets (10 x 1,000), {database}"
    yield timed(title, samples, 0.05)
    SODARCacheAPI.delete_cache()


def _syncs(database: str, alias: str) -> Iterator[Row]:
    from sodarcache.each import each
    from sodarcache.models import Project
    from sodarcache.plugins import ProjectAppPlugin
    from sodarcache.syncing import Step, Sync

    class Waiting(ProjectAppPlugin):
        __module__ = "django.contrib.auth.plugins"  # for only those of installed apps are called
        name = "waiting"
        calls = count(1)

        def update_cache(self, name: Any = None, project: Any = None, user: Any = None) -> None:
            next(self.calls)
            time.sleep(WAIT)

    def sync(workers: int) -> float:
        began = time.perf_counter()
        for _ in each(Sync(app="waiting").steps(), Step.run, workers):
            pass
        return time.perf_counter() - began

    peaks = {}
    sizes = (PROJECTS // 2, PROJECTS, 2 * PROJECTS)
    for wanted in sizes:
        missing = wanted - Project.objects.count()
        Project.objects.bulk_create(
            Project(title=str(n), sodar_uuid=uuid.uuid4()) for n in range(missing)
        )
        if not peaks:
            sync(1)  # imports, caches
        peaks[wanted] = _allocated(lambda: sync(1))
    few, _, many = (round(peaks[wanted], 2) for wanted in sizes)
    shown = " / ".join(f"{peaks[wanted]:.2f}" for wanted in sizes)
    yield plain(
        f"synccache, memory for 500 / 1,000 / 2,000 projects ({shown}), MB, {database}",
        {FLOOR: few, OURS: many},
        limit=round(1.5 * few, 2),
    )
    Project.objects.filter(
        pk__in=list(Project.objects.values_list("pk", flat=True)[PROJECTS:])
    ).delete()
    assert next(Waiting.calls) > sum(sizes), "the plugin was not called for each project"
    one, four = sync(1), sync(4)
    del ProjectAppPlugin._plugins["waiting"]
    yield plain(
        f"synccache, 1,000 projects that wait 10 ms, --workers 4 / 1, s, {database}",
        {FLOOR: round(one, 2), OURS: round(four, 2)},
        limit=round(one / 3.5, 2),
    )


def _allocated(act: Callable[[], object]) -> float:
    """Return the MB that Python had allocated at most, more than before."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@contextmanager
def _postgres() -> Iterator[str | None]:
    """Add a new database on the local PostgreSQL; None where there is none."""
    try:
        import psycopg

        server = psycopg.connect("postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True)
    except Exception as exc:
        print(f"no PostgreSQL: {type(exc).__name__}")
        yield None
        return
    name = f"benchmarks_{uuid.uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {name}")
    entry = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": "postgres"}
    entry |= {"HOST": "127.0.0.1", "PORT": "5432"}
    connections.settings["postgres"] = connections.configure_settings(
        {"default": {}, "postgres": entry}
    )["postgres"]
    try:
        yield "postgres"
    finally:
        connections["postgres"].close()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()
