"""The project cache on SQLite and PostgreSQL, beside the original and plain ORM calls.

The original is django-sodar-core's, in a process of its own, on PostgreSQL, which SODAR Core needs.
The floor is how it goes about it, on this table: read the row, save it; load it for its date; load
the rows to delete them. A second row of each has the original for its floor, where it is installed.
SQLite is in WAL mode, and as its build has it otherwise: where ``secure_delete`` is on, a DELETE
overwrites what it frees, so that one row compares with the bare statement.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.core.management import call_command
from django.db import connections, reset_queries
from django.test.utils import CaptureQueriesContext, override_settings

from benchmarks import sodar_core
from benchmarks.environment import Environment
from benchmarks.memory import allocated
from benchmarks.report import FLOOR, OURS, SODAR, Row, duration, plain, timed
from benchmarks.sodar_core import Original
from benchmarks.timing import Samples, calls, interleaved

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
    yield from _rows("SQLite (WAL)", "default", None)
    with _server() as server:
        if server is None:
            return
        with _database(server) as entry, _original(server) as original:
            connections.settings["postgres"] = connections.configure_settings(
                {"default": {}, "postgres": entry}
            )["postgres"]
            yield from _rows("PostgreSQL", "postgres", original)


def _rows(database: str, alias: str, original: Original | None) -> Iterator[Row]:
    from sodarcache.models import JSONCacheItem, Project

    with override_settings(DATABASE_ROUTERS=[_To(alias)]):
        if alias != "default":
            call_command("migrate", database=alias, verbosity=0)
        project = Project.objects.create(title="One")
        yield from _sets(database, alias, project, original)
        yield from _update_times(database, project, original)
        yield from _deletions(database, alias, project, original)
        yield from _bulk_sets(database, project, original)
        JSONCacheItem.objects.all().delete()
        yield from _syncs(database)
        Project.objects.all().delete()
        connections[alias].close()


def _sets(database: str, alias: str, project: Any, original: Original | None) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI

    def set_plainly() -> None:
        _set_plainly("a", project)

    def set_ours() -> None:
        SODARCacheAPI.set_cache_item(APP, "a", KB, project=project)

    queries: dict[str, float] = {}
    for name, act in ((FLOOR, set_plainly), (OURS, set_ours)):
        act()
        with CaptureQueriesContext(connections[alias]) as captured:
            act()
        queries[name] = len(captured)
    blocks = {FLOOR: calls("f()", f=set_plainly), OURS: calls("f()", f=set_ours)}
    if original:
        blocks[SODAR] = original.block("set_one", "a", KB)
        queries[SODAR] = original.call("queries", "a", KB)
    absent = _absent(database, original)
    yield plain(f"queries of a set, {database}", queries, limit=1, absent=absent)
    samples = interleaved(blocks, number=20, rounds=60)
    yield from _timed(f"set, 1 KB, {database}", samples, 0.7, absent)


def _update_times(database: str, project: Any, original: Original | None) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.models import JSONCacheItem

    items = JSONCacheItem.objects.filter(project=project, app_name=APP)
    SODARCacheAPI.set_cache_item(APP, "large", FIVE_MB, project=project)
    blocks = {
        FLOOR: calls("q.filter(name='large').first().date_modified.timestamp()", q=items),
        OURS: calls("f('sodarcache', 'large', p)", f=SODARCacheAPI.get_update_time, p=project),
    }
    if original:
        original.call("set_one", 1, "large", FIVE_MB)
        blocks[SODAR] = original.block("update_time", "large")
    samples = interleaved(blocks, number=2, rounds=15)
    title = f"get_update_time, 5 MB, {database}"
    yield from _timed(title, samples, 0.02, _absent(database, original))


def _absent(database: str, original: Original | None) -> list[str]:
    """Return who could run on that database, and is not installed."""
    return [SODAR] if database == "PostgreSQL" and original is None else []


def _timed(
    title: str, samples: dict[str, Samples], limit: float, absent: list[str]
) -> Iterator[Row]:
    yield timed(title, samples, limit, absent=absent)
    if SODAR in samples:
        beside = {FLOOR: samples[SODAR], OURS: samples[OURS]}
        yield timed(f"{title} / {SODAR}'s", beside, limit)


def _set_plainly(name: str, project: Any) -> None:
    from sodarcache.models import JSONCacheItem

    found = JSONCacheItem.objects.filter(project=project, app_name=APP, name=name).first()
    item = found or JSONCacheItem(app_name=APP, name=name)
    item.project, item.data = project, KB
    item.save()


def _deletions(database: str, alias: str, project: Any, original: Original | None) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.models import JSONCacheItem

    def delete_plainly() -> None:
        found = JSONCacheItem.objects.all()
        if found:  # which is what loads them
            found.count()
            found.delete()

    def delete_barely() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"DELETE FROM {JSONCacheItem._meta.db_table}")

    spent: dict[str, tuple[float, float]] = {}
    for name, act in ((FLOOR, delete_plainly), (OURS, SODARCacheAPI.delete_cache)):
        seconds = _time_to_empty(project, act)
        _fill(project)
        spent[name] = seconds, allocated(act)
    if original:
        spent[SODAR] = tuple(original.call("delete", 10_000, TEN_KB))
    for place, unit in enumerate(("s", "MB")):
        values = {name: round(numbers[place], 3) for name, numbers in spent.items()}
        title = f"delete_cache, 10,000 x 10 KB, {unit}, {database}"
        limits = {name: 0.05 * value if unit == "s" else 10 for name, value in values.items()}
        yield plain(title, values, limit=limits[FLOOR], absent=_absent(database, original))
        if original:
            beside = {FLOOR: values[SODAR], OURS: values[OURS]}
            yield plain(f"{title} / {SODAR}'s", beside, limit=limits[SODAR])
    bare = {
        FLOOR: _time_to_empty(project, delete_barely),
        OURS: _time_to_empty(project, SODARCacheAPI.delete_cache),
    }
    yield plain(f"delete_cache, 10,000 x 10 KB / a bare DELETE, {database}", bare, show=duration)


def _fill(project: Any) -> None:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.new_item import NewItem

    with override_settings(DEBUG=False):
        SODARCacheAPI.set_cache_items(
            NewItem(APP, f"n{n}", TEN_KB, project=project) for n in range(10_000)
        )
    reset_queries()


def _time_to_empty(project: Any, act: Callable[[], object]) -> float:
    """Return the seconds that ``act`` takes to delete 10,000 items."""
    _fill(project)
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _bulk_sets(database: str, project: Any, original: Original | None) -> Iterator[Row]:
    from sodarcache.api import SODARCacheAPI
    from sodarcache.new_item import NewItem

    numbers = count()

    def set_each(number: int) -> None:
        for _ in range(number):
            _set_plainly(f"m{next(numbers)}", project)

    def set_all() -> None:
        SODARCacheAPI.set_cache_items(
            NewItem(APP, f"m{next(numbers)}", KB, project=project) for _ in range(10_000)
        )

    blocks = {FLOOR: calls("f(1000)", f=set_each), OURS: calls("f()", f=set_all)}
    if original:
        blocks[SODAR] = lambda number: original.block("set_each", KB)(1000 * number)
    samples = interleaved(blocks, number=1, rounds=3)
    for name in samples.keys() - {OURS}:
        samples[name].seconds[:] = [10 * seconds for seconds in samples[name].seconds]
    title = f"set_cache_items, 10,000 x 1 KB / as many plain sets (10 x 1,000), {database}"
    yield from _timed(title, samples, 0.05, _absent(database, original))
    SODARCacheAPI.delete_cache()


def _syncs(database: str) -> Iterator[Row]:
    from sodarcache.models import Project

    with _waiting_plugin() as called:
        peaks = _peaks()
        few, _, many = peaks.values()
        shown = " / ".join(f"{peak:.2f}" for peak in peaks.values())
        yield plain(
            f"synccache, memory for 500 / 1,000 / 2,000 projects ({shown}), MB, {database}",
            {FLOOR: round(few, 2), OURS: round(many, 2)},
            limit=round(1.5 * round(few, 2), 2),
        )
        Project.objects.filter(
            pk__in=list(Project.objects.values_list("pk", flat=True)[PROJECTS:])
        ).delete()
        assert next(called) > sum(peaks), "the plugin was not called for each project"
        one, four = _time_of_sync(1), _time_of_sync(4)
    yield plain(
        f"synccache, 1,000 projects that wait 10 ms, --workers 4 / 1, s, {database}",
        {FLOOR: round(one, 2), OURS: round(four, 2)},
        limit=round(one / 3.5, 2),
    )


@contextmanager
def _waiting_plugin() -> Iterator[Iterator[int]]:
    """Add a plugin that waits for each project, and count its calls."""
    from sodarcache.plugins import ProjectAppPlugin

    called = count(1)

    class Waiting(ProjectAppPlugin):
        __module__ = "django.contrib.auth.plugins"  # for only those of installed apps are called
        name = "waiting"

        def update_cache(self, name: Any = None, project: Any = None, user: Any = None) -> None:
            next(called)
            time.sleep(WAIT)

    try:
        yield called
    finally:
        del ProjectAppPlugin._plugins["waiting"]


def _peaks() -> dict[int, float]:
    """Return the MB that a sync takes, by the number of projects."""
    from sodarcache.models import Project

    peaks: dict[int, float] = {}
    for wanted in (PROJECTS // 2, PROJECTS, 2 * PROJECTS):
        missing = wanted - Project.objects.count()
        Project.objects.bulk_create(
            Project(title=str(n), sodar_uuid=uuid.uuid4()) for n in range(missing)
        )
        if not peaks:
            _time_of_sync(1)  # imports, caches
        peaks[wanted] = allocated(lambda: _time_of_sync(1))
    return peaks


def _time_of_sync(workers: int) -> float:
    """Return the seconds that the waiting plugin takes for all projects."""
    from sodarcache.each import each
    from sodarcache.syncing import Step, Sync

    began = time.perf_counter()
    for _ in each(Sync(app="waiting").steps(), Step.run, workers):
        pass
    return time.perf_counter() - began


@contextmanager
def _server() -> Iterator[Any]:
    """Connect to the local PostgreSQL; yield None where there is none."""
    try:
        import psycopg

        server = psycopg.connect("postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True)
    except Exception as exc:
        print(f"no PostgreSQL: {type(exc).__name__}")
        yield None
        return
    try:
        yield server
    finally:
        server.close()


@contextmanager
def _database(server: Any) -> Iterator[dict[str, Any]]:
    """Make a database on PostgreSQL for the time of the block; yield its entry of ``DATABASES``."""
    name = f"benchmarks_{uuid.uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {name}")
    entry = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": "postgres"}
    try:
        yield entry | {"HOST": "127.0.0.1", "PORT": "5432"}
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _original(server: Any) -> Iterator[Original | None]:
    """Start SODAR Core's own; yield None where it is not installed."""
    if sodar_core.version() is None:
        yield None
        return
    with _database(server) as entry:
        original = Original(entry)
        try:
            yield original
        finally:
            original.close()
