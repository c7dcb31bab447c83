"""Lists and bulk sets."""

from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from tests.sodarcache.support import APP

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)


def listed(client: Any, project: Any, **params: Any) -> Any:
    """Return the answer to a request for a list."""
    return client.get(f"/cache/api/list/{project.sodar_uuid}", params)


def stored(client: Any, project: Any, *items: dict[str, Any], **headers: str) -> Any:
    """Return the answer to a bulk set."""
    url = f"/cache/api/set/{project.sodar_uuid}"
    return client.post(url, {"items": items}, format="json", headers=headers)


def test_a_list_comes_in_pages(writer: Any, project: Any, other: Any, api: Any) -> None:
    """REST, P2: each of the project's items is on one page, by app and name, without its data."""
    api.set_cache_items(
        [{"app_name": APP, "name": f"n{i:03}", "data": i, "project": project} for i in range(25)]
    )
    api.set_cache_item(APP, "foreign", 1, project=other)
    seen: list[str] = []
    url: str | None = f"/cache/api/list/{project.sodar_uuid}?page_size=10"
    while url:
        page = writer.get(url).json()
        assert page["count"] == 25
        seen += [item["name"] for item in page["results"]]
        url = page["next"]
    assert seen == [f"n{i:03}" for i in range(25)]
    assert set(page["results"][0]) == {"project", "app_name", "name", "date_modified", "user"}


def test_a_list_takes_the_same_queries_whatever_its_length(
    writer: Any, project: Any, database: str, api: Any
) -> None:
    """REST: and reads no data."""

    def count(length: int) -> int:
        api.set_cache_items(
            {"app_name": APP, "name": f"n{i}", "data": i, "project": project} for i in range(length)
        )
        with CaptureQueriesContext(connections[database]) as queries:
            assert len(listed(writer, project).json()["results"]) == length
        assert not any(f"{quote}data{quote}" in q["sql"] for q in queries for quote in '"`')
        return len(queries)

    assert count(2) == count(50)


def test_a_list_of_one_app(writer: Any, project: Any, api: Any) -> None:
    """REST, P5: ``?app_name=``, of which an unknown one is 400; a page that is not there is 404."""
    api.set_cache_item(APP, "a", 1, project=project)
    api.set_cache_item("sodarcache", "b", 1, project=project)
    found = listed(writer, project, app_name=APP).json()["results"]
    assert [item["name"] for item in found] == ["a"]
    assert listed(writer, project, app_name="x\0").status_code == 400
    for page in ("2", "x", "0", "9" * 5000):
        assert listed(writer, project, page=page).status_code == 404
    for size in ("x", "0", "9" * 5000):
        assert listed(writer, project, page_size=size).status_code == 200


def test_a_list_that_is_known_is_304(writer: Any, project: Any) -> None:
    """REST: its ETag changes with a set and with a delete."""
    writer.store(project, 1, "a")
    url = f"/cache/api/list/{project.sodar_uuid}"
    tags = []
    for change in (
        lambda: None,
        lambda: writer.store(project, 2, "a"),
        lambda: writer.remove(project, "a"),
    ):
        change()
        response = writer.get(url)
        tags.append(response["ETag"])
        again = writer.get(url, headers={"if-none-match": response["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "Last-Modified" not in response
    assert len(set(tags)) == 3


def test_a_bulk_set(writer: Any, project: Any, items: Any) -> None:
    """REST: sets what is new and what is not; of two for one name the last wins; names stay as
    they are."""
    writer.store(project, 0, "a")
    response = stored(
        writer,
        project,
        {"app_name": APP, "name": "a", "data": 1},
        {"app_name": APP, "name": " b ", "data": None},
        {"app_name": APP, "name": "c/d", "data": [1]},
        {"app_name": APP, "name": "c/d", "data": [2]},
    )
    assert (response.status_code, response.json()) == (200, {"detail": "ok"})
    assert dict(items.values_list("name", "data")) == {"a": 1, " b ": None, "c/d": [2]}
    assert {item.user.username for item in items.all()} == {"writer"}


def test_a_bulk_set_has_no_conditions(writer: Any, project: Any, items: Any) -> None:
    """REST: a condition that can't be kept is refused, not ignored."""
    item = {"app_name": APP, "name": "a", "data": 1}
    assert stored(writer, project, item, **{"if-match": "*"}).status_code == 400
    assert not items.exists()
