"""The API under bad luck: what is deleted, too large, or wrong when nobody thought of it."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject

from sodarcache import writing
from sodarcache.jobs import ProjectJob
from sodarcache.updating import update
from tests.services import wait_until
from tests.sodarcache.support import APP, at_once


class Echo(ProjectJob):
    """Fetches what it is told."""

    app_name = APP
    name = "echo"
    answer: Any = 1

    def fetch(self, project: Any) -> Any:
        return Echo.answer


def test_a_bulk_set_returns_the_items_in_the_order_given(api: Any, project: Any) -> None:
    """They come in the caller's order, though they are written in one that is fixed."""
    names = [f"n{n}" for n in range(12)]
    new = [{"app_name": APP, "name": name, "data": name, "project": project} for name in names]
    assert [item.name for item in api.set_cache_items(new)] == names


def test_items_of_a_bulk_read_know_their_project(api: Any, project: Any, database: str) -> None:
    """A bulk read is a constant number of queries, with ``str`` of each item, too."""
    names = [f"n{n}" for n in range(5)]
    api.set_cache_items(
        [{"app_name": APP, "name": n, "data": n, "project": project} for n in names]
    )
    with CaptureQueriesContext(connections[database]) as captured:
        found = api.get_cache_items(APP, names, project)
        assert {str(item) for item in found.values()} == {f"Towers: {APP}: {n}" for n in names}
    assert len(captured) == 1


def test_a_user_is_a_user(api: Any, items: Any, project: Any, user: Any) -> None:
    """P1: an item is nobody's by mistake: what is no saved user is an error; a lazy one is one."""
    for wrong in ("ada", user.pk, project, get_user_model()(username="new")):
        with pytest.raises(ValueError, match=r"must be a|not saved"):
            api.set_cache_item(APP, "a", 1, project=project, user=wrong)
    assert not items.exists()
    lazy = SimpleLazyObject(lambda: user)
    assert api.set_cache_item(APP, "a", 1, user=lazy).user_id == user.pk
    nobody = SimpleLazyObject(AnonymousUser)
    assert api.set_cache_item(APP, "b", 1, user=nobody).user is None


@pytest.mark.parametrize("within", ["autocommit", "a transaction"])
@pytest.mark.parametrize("kind", ["set_cache_item", "set_cache_items", "a job"])
def test_the_user_was_deleted_meanwhile(
    api: Any, project: Any, user: Any, monkeypatch: pytest.MonkeyPatch, database: str, kind: str,
    within: str,
) -> None:  # fmt: skip
    """P1, P3: it is as if the user had been deleted a moment later: the item is set, by nobody, at
    no more queries, and no error comes later, at the end of the caller's transaction."""
    other = get_user_model().objects.create_user("eve")
    api.set_cache_item(APP, Echo.name, 0, project=project, user=user)
    seen_by_the_request = get_user_model().objects.get(pk=user.pk)
    monkeypatch.setattr(Echo, "item_user", lambda self, project: seen_by_the_request)
    user.delete()
    new = {"app_name": APP, "name": Echo.name, "data": 1, "project": project}
    sets: dict[str, Callable[[], Any]] = {
        "set_cache_item": lambda: api.set_cache_item(**new, user=seen_by_the_request),
        "set_cache_items": lambda: api.set_cache_items(
            [{**new, "user": seen_by_the_request}, {**new, "name": "b", "user": other}]
        ),
        "a job": lambda: Echo().refresh(project),
    }
    item_of = {"set_cache_item": lambda it: it, "set_cache_items": lambda them: them[0]}
    is_atomic = within == "a transaction"
    around = transaction.atomic(using=database) if is_atomic else contextlib.nullcontext()
    with CaptureQueriesContext(connections[database]) as captured, around:
        result = sets[kind]()
    if kind in item_of:
        item = item_of[kind](result)
        assert (item.user_id, item.user) == (None, None)
    if kind == "set_cache_item" and not is_atomic:
        assert len(captured) == 1
    stored = api.get_cache_item(APP, Echo.name, project)
    assert (stored.data, stored.user) == (1, None)
    if kind == "set_cache_items":
        assert api.get_cache_item(APP, "b", project).user == other == result[1].user


def test_a_set_while_the_user_is_being_deleted(
    api: Any, items: Any, user: Any, database: str
) -> None:
    """P1: who sets an item while the transaction that deletes its user is open waits for that, and
    then sets it, by nobody."""
    if connections[database].vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    begun = threading.Event()

    def delete_slowly() -> None:
        with transaction.atomic(using=database):
            user.delete()
            begun.set()
            # Until the other writer waits for this transaction.
            wait_until(lambda: waiting(database) > 0)

    def set_it() -> Any:
        assert begun.wait(20)
        return api.set_cache_item(APP, "a", 1, user=seen_by_the_request)

    seen_by_the_request = get_user_model().objects.get(pk=user.pk)
    deleted, item = at_once(delete_slowly, set_it)
    assert deleted is None and item.user is None
    assert items.get().user is None


def waiting(database: str) -> int:
    """Return how many statements wait for another transaction's lock."""
    sql = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT variable_value FROM information_schema.global_status"
        " WHERE variable_name = 'Innodb_row_lock_current_waits'",
    }
    connection = connections.create_connection(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql[connection.vendor])
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("deadlock", ["delete_cache", "delete_cache_item"])
def test_a_delete_that_loses_a_deadlock_begins_anew(
    api: Any, project: Any, monkeypatch: pytest.MonkeyPatch, database: str, deadlock: str
) -> None:
    """P1: a delete that the database gives up for another writer's sake is no error to anyone."""
    api.set_cache_item(APP, "a", 1, project=project)
    losses = [OperationalError(1213, "Deadlock found"), OperationalError(1213, "Deadlock found")]

    def lose(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("DELETE") and losses:
            raise losses.pop()
        return execute(sql, *rest)

    with connections[database].execute_wrapper(lose):
        if deadlock == "delete_cache":
            assert api.delete_cache(APP, project) == 1
        else:
            api.delete_cache_item(APP, "a", project)
    assert not losses and api.get_cache_item(APP, "a", project) is None


def test_what_is_larger_than_a_statement(
    api: Any, project: Any, items: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: MariaDB hangs up on a statement above ``max_allowed_packet``, so such data is a
    ValueError before that, and the connection lives on. Others take it."""
    data = {"x": ['"' * 1000] * 12_000}  # 24 MB when the quotes are escaped
    if connections[database].vendor != "mysql":
        api.set_cache_item(APP, "a", data, project=project)
        assert api.get_cache_item(APP, "a", project).data == data
        return
    for set_it in (
        lambda: api.set_cache_item(APP, "a", data, project=project),
        lambda: api.set_cache_items([{"app_name": APP, "name": "a", "data": data}]),
    ):
        with pytest.raises(ValueError, match=r"data has [\d,]+ bytes, .*max_allowed_packet"):
            set_it()
    monkeypatch.setattr(Echo, "answer", data)
    assert Echo().refresh(project) == data  # returned, and not kept
    assert not items.exists()


def test_a_bulk_set_of_more_than_a_statement(api: Any, project: Any, items: Any) -> None:
    """P5: many items that are small enough are set, however large they are together."""
    data = "y" * 1_000_000
    new = [{"app_name": APP, "name": f"n{n}", "data": data, "project": project} for n in range(20)]
    assert len(api.set_cache_items(new)) == 20 == items.count()


def test_parts_of_a_bulk_set_are_all_or_none(
    api: Any, database: str, items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a bulk set takes several statements, a failure of the last undoes the first."""
    monkeypatch.setattr(writing, "fitting", lambda batch, connection: ([item] for item in batch))
    sent: list[str] = []

    def fail(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        if sum(each.startswith("INSERT") for each in sent) == 3:
            raise OperationalError("The disk is full")
        return execute(sql, *rest)

    new = [{"app_name": APP, "name": f"n{n}", "data": n} for n in range(3)]
    with connections[database].execute_wrapper(fail), pytest.raises(OperationalError):
        api.set_cache_items(new)
    assert not items.exists()


def test_a_job_in_a_site_without_time_zones(api: Any, project: Any, settings: Any) -> None:
    """P6: a job's item is written where ``USE_TZ`` is False, and is as old as the fetch."""
    settings.USE_TZ = False
    job = Echo()
    assert job.refresh(project) == Echo.answer
    fetched_at = job.explain(project).fetched_at
    assert api.get_update_time(APP, "echo", project) == pytest.approx(fetched_at, abs=1e-5)


def test_a_job_reaches_no_project_by_its_key(api: Any, project: Any) -> None:
    """P2: what only resembles a project is an error to a job, as to the API."""
    api.set_cache_item(APP, "echo", "secret", project=project)
    for wrong in (project.pk, str(project.pk), 0, ""):
        with pytest.raises(TypeError, match="must be a Project"):
            Echo().get(wrong)


class Quitter:
    """Plugins that end in unusual ways."""

    name = "quitter"

    def update_cache(self, name: Any = None, project: Any = None) -> None:
        raise SystemExit(3)


class Hollow:
    """Has forgotten its method."""

    name = "hollow"
    update_cache = None


def test_no_plugin_ends_the_others() -> None:
    """P4: a plugin that exits, or is no plugin at all, is reported and the rest go on."""
    called: list[Any] = []

    class Good:
        name = "good"

        def update_cache(self, name: Any = None, project: Any = None, user: Any = None) -> None:
            called.append(user)

    plugins: list[Any] = [Quitter(), Hollow(), Good()]
    failures = update(plugins, None, None, "ada")
    assert [failure.plugin for failure in failures] == ["quitter", "hollow"]
    assert str(failures[0]) == "quitter, all projects: SystemExit: 3"
    assert called == ["ada"]
