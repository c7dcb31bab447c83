"""Setting and deleting items, on conditions and without."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext
from django.utils.http import http_date

from sodarcache.models import JSONCacheItem
from tests.sodarcache.support import APP, at_once

LONG_AGO = http_date(0)


def value(items: Any) -> Any:
    """Return the data of the one item there is; None when there is none."""
    return items.values_list("data", flat=True).first()


def test_set_makes_and_replaces(writer: Any, project: Any, items: Any) -> None:
    """REST: POST answers {"detail": "ok"} for a new and for a known item, of which there is one."""
    for data in ({"a": 1}, [None], "text", 0, None, False):
        response = writer.store(project, data)
        assert (response.status_code, response.json()) == (200, {"detail": "ok"})
        assert writer.read(project).json()["data"] == data
    assert items.count() == 1
    assert items.get().user.username == "writer"


def test_a_set_tells_the_state_that_it_made(writer: Any, project: Any) -> None:
    """REST: the ETag of a set's answer is that of the next read."""
    stored, read = writer.store(project, 1), writer.read(project)
    again = writer.store(project, 2, **{"if-match": stored["ETag"]})
    for name in ("ETag", "Last-Modified"):
        assert stored[name] == read[name]
        assert again[name] == writer.read(project)[name]


@pytest.mark.parametrize(
    "condition",
    [
        {"if-match": "*"},
        {"if-match": "{etag}"},
        {"if-match": '"x", {etag}'},
        {"if-match": "{etag}", "if-unmodified-since": LONG_AGO},
        {"if-none-match": '"x"'},
        {"if-unmodified-since": "{date}"},
        {"if-unmodified-since": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"if-unmodified-since": "yesterday"},
    ],
)
def test_a_condition_that_holds(
    writer: Any, project: Any, items: Any, condition: dict[str, str]
) -> None:
    """REST: a write goes through; a date that is none is no condition."""
    for write, left in (
        (partial(writer.store, project, 2), 2),
        (partial(writer.remove, project), None),
    ):
        seen = writer.store(project, 1)
        known = {"etag": seen["ETag"], "date": seen["Last-Modified"]}
        response = write(**{name: text.format(**known) for name, text in condition.items()})
        assert response.status_code in (200, 204)
        assert value(items) == left


@pytest.mark.parametrize(
    "condition",
    [
        {"if-match": '"x"'},
        {"if-match": "W/{etag}"},
        {"if-match": "garbage"},
        {"if-match": ""},
        {"if-match": "{old}"},
        {"if-none-match": "*"},
        {"if-none-match": "{etag}"},
        {"if-none-match": "W/{etag}"},
        {"if-match": "{etag}", "if-none-match": "*"},
        {"if-unmodified-since": LONG_AGO},
    ],
)
def test_a_condition_that_does_not_hold(
    writer: Any, project: Any, items: Any, condition: dict[str, str]
) -> None:
    """REST: 412, and nothing is changed."""
    old = writer.store(project, 0)["ETag"]
    known = {"etag": writer.store(project, 1)["ETag"], "old": old}
    headers = {name: text.format(**known) for name, text in condition.items()}
    for response in (writer.store(project, 2, **headers), writer.remove(project, **headers)):
        assert response.status_code == 412
        assert "detail" in response.json()
        assert value(items) == 1


def test_conditions_on_an_item_that_is_absent(writer: Any, project: Any, items: Any) -> None:
    """REST: If-Match needs an item; If-None-Match and a date don't."""
    for condition in ({"if-match": "*"}, {"if-match": '"x"'}):
        assert writer.store(project, 1, **condition).status_code == 412
        assert writer.remove(project, **condition).status_code == 412
    assert not items.exists()
    for condition in ({"if-none-match": "*"}, {"if-none-match": '"x"'}):
        assert writer.remove(project, **condition).status_code == 404
        assert writer.store(project, 1, **condition).status_code == 200
        writer.remove(project)
    assert writer.store(project, 1, **{"if-unmodified-since": LONG_AGO}).status_code == 200


def test_a_conditional_set_is_checked_like_any(writer: Any, project: Any, items: Any) -> None:
    """REST, P5: what can't be stored is a 400, whether or not the condition holds."""
    for condition in ({"if-match": "*"}, {"if-none-match": "*"}):
        assert writer.store(project, "\0", **condition).status_code == 400
    assert not items.exists()


def test_a_conditional_set_moves_the_date_and_the_user(
    client_of: Callable[[str], Any], project: Any, items: Any
) -> None:
    """REST, P3: it is a set like any other."""
    client_of("superuser").store(project, 1)
    before = items.get()
    client_of("writer").store(project, None, **{"if-match": "*"})
    after = items.get()
    assert after.date_modified > before.date_modified
    assert (after.user.username, after.data) == ("writer", None)
    assert after.sodar_uuid == before.sodar_uuid


def test_of_writers_who_know_the_same_state_one_wins(
    client_of: Callable[[str], Any], project: Any, items: Any
) -> None:
    """REST: comparing and writing is one step; the others get 412 and no update is lost."""
    tag = client_of("writer").store(project, -1)["ETag"]
    clients = [client_of("writer") for _ in range(8)]

    def act(place: int) -> int:
        status: int = clients[place].store(project, place, **{"if-match": tag}).status_code
        return status

    answers = at_once(*[lambda place=place: act(place) for place in range(8)])
    assert sorted(answers) == [200, *[412] * 7]
    assert value(items) == answers.index(200)


def test_of_writers_who_know_of_no_item_one_wins(
    client_of: Callable[[str], Any], project: Any, items: Any
) -> None:
    """REST, P1: ``If-None-Match: *`` makes an item once."""
    clients = [client_of("writer") for _ in range(8)]

    def act(place: int) -> int:
        status: int = clients[place].store(project, place, **{"if-none-match": "*"}).status_code
        return status

    answers = at_once(*[lambda place=place: act(place) for place in range(8)])
    assert sorted(answers) == [200, *[412] * 7]
    assert items.count() == 1
    assert value(items) == answers.index(200)


def test_delete_spares_other_items(
    writer: Any, project: Any, other: Any, items: Any, api: Any
) -> None:
    """REST, P2: the item of that project alone is deleted, and once."""
    api.set_cache_item(APP, "towers/height", 1, project=other)
    api.set_cache_item(APP, "towers/height", 2)
    writer.store(project, 3)
    assert writer.remove(project).status_code == 204
    assert writer.remove(project).status_code == 404
    assert sorted(items.values_list("data", flat=True)) == [1, 2]


@pytest.mark.parametrize("kind", ["store", "store_if_none", "store_many"])
@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
def test_a_project_that_is_deleted_during_a_request_in_a_transaction(
    writer: Any, project: Any, items: Any, database: str, kind: str
) -> None:
    """REST: with ATOMIC_REQUESTS, too, where PostgreSQL checks foreign keys no sooner than when the
    view has answered: 404 or, with a condition, 412; never 500, and nothing is left."""
    connection = connections[database]
    deleted: list[bool] = []

    def delete_first(execute: Any, sql: str, *args: Any) -> Any:
        if not deleted and sql.startswith("INSERT INTO") and "sodarcache_jsoncacheitem" in sql:
            deleted.append(True)
            elsewhere = connections.create_connection(database)
            with contextlib.closing(elsewhere), elsewhere.cursor() as cursor:
                cursor.execute("DELETE FROM sodarcache_project")
        return execute(sql, *args)

    def send() -> Any:
        if kind == "store_many":
            body = {"items": [{"app_name": "testapp", "name": "a", "data": 1}]}
            return writer.post(f"/cache/api/set/{project.sodar_uuid}", body, format="json")
        condition = {"if-none-match": "*"} if kind == "store_if_none" else {}
        return writer.store(project, 1, **condition)

    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        with connection.execute_wrapper(delete_first):
            response = send()
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert deleted
    assert response.status_code in ((404, 412) if kind == "store_if_none" else (404,))
    assert not items.exists()


def test_a_delete_is_one_statement(writer: Any, project: Any, items: Any, database: str) -> None:
    """REST: a delete deletes the state that it names or nothing, also where somebody listens to all
    models: comparing and deleting are one statement, and nothing is loaded."""
    seen = writer.store(project, 1)
    heard: list[Any] = []

    def hear(sender: Any, **kwargs: Any) -> None:
        if sender is JSONCacheItem:
            heard.append(sender)

    pre_delete.connect(hear)
    try:
        with CaptureQueriesContext(connections[database]) as queries:
            response = writer.remove(project, **{"if-match": seen["ETag"]})
    finally:
        pre_delete.disconnect(hear)
    assert response.status_code == 204 and value(items) is None
    asked = [query["sql"] for query in queries if JSONCacheItem._meta.db_table in query["sql"]]
    assert len(asked) == 1 and heard == []
