"""Reading items."""

from datetime import datetime
from typing import Any

import time_machine
from django.db import connections
from django.test.utils import CaptureQueriesContext

from sodarcache.views_api import SODARCACHE_API_MEDIA_TYPE
from tests.sodarcache.support import APP


def test_an_item_comes_as_a_whole(writer: Any, project: Any, api: Any) -> None:
    """REST: retrieve gives project, app, name, date, user and data; the user is named."""
    writer.store(project, {"metres": [1, None, "é"]})
    response = writer.read(project)
    item = api.get_cache_item(APP, "towers/height", project)
    assert response.status_code == 200
    answer = response.json()
    assert datetime.fromisoformat(answer.pop("date_modified")) == item.date_modified
    assert answer == {
        "project": str(project.sodar_uuid),
        "app_name": APP,
        "name": "towers/height",
        "user": "writer",
        "data": {"metres": [1, None, "é"]},
    }
    assert response["Content-Type"] == SODARCACHE_API_MEDIA_TYPE


def test_a_client_may_ask_for_plain_json(writer: Any, project: Any) -> None:
    """REST: ``Accept: application/json`` is served; an unknown version is 406."""
    writer.store(project, 1)
    assert writer.read(project, accept="application/json")["Content-Type"] == "application/json"
    unknown = f"{SODARCACHE_API_MEDIA_TYPE}; version=9.0"
    assert writer.read(project, accept=unknown).status_code == 406


def test_the_date_is_the_update_time(writer: Any, project: Any, api: Any) -> None:
    """REST: retrieve/date gives what get_update_time gives, and the item's ETag."""
    writer.store(project, 1)
    response = writer.get(writer.address("retrieve/date", project))
    assert response.json() == {"update_time": api.get_update_time(APP, "towers/height", project)}
    assert response["ETag"] == writer.read(project)["ETag"]


def test_an_item_that_is_not_set_is_404(writer: Any, project: Any, other: Any, api: Any) -> None:
    """REST, P2: an item of another project, or of none, is not this project's."""
    api.set_cache_item(APP, "towers/height", 1, project=other)
    api.set_cache_item(APP, "towers/height", 1)
    for kind in ("retrieve", "retrieve/date"):
        assert writer.get(writer.address(kind, project)).status_code == 404


def test_an_app_called_date_is_reached(writer: Any, project: Any, site: Any, api: Any) -> None:
    """REST: neither URL hides the other, whatever app and item are called."""
    site.INSTALLED_APPS = [*site.INSTALLED_APPS, "tests.sodarcache.rest.date"]
    api.set_cache_item("date", f"{project.sodar_uuid}/date/x", 7, project=project)
    name = f"{project.sodar_uuid}/date/x"
    assert writer.get(writer.address("retrieve", project, name, "date")).json()["data"] == 7
    dated = writer.get(writer.address("retrieve/date", project, name, "date"))
    assert "update_time" in dated.json()


def test_who_has_it_gets_304_and_the_data_is_not_read(
    writer: Any, project: Any, database: str
) -> None:
    """REST: If-None-Match and If-Modified-Since are answered without loading ``data``."""
    seen = writer.store(project, list(range(1000)))
    headers = [{"if-none-match": seen["ETag"]}, {"if-modified-since": seen["Last-Modified"]}]
    for header in headers:
        for kind in ("retrieve", "retrieve/date"):
            with CaptureQueriesContext(connections[database]) as queries:
                response = writer.get(writer.address(kind, project), headers=header)
            assert (response.status_code, response.content) == (304, b"")
            assert response["ETag"] == seen["ETag"]
            of_items = [q["sql"] for q in queries if "sodarcache_jsoncacheitem" in q["sql"]]
            assert len(of_items) == 1
            assert not any(f"{quote}data{quote}" in of_items[0] for quote in '"`')


def test_another_state_is_sent_again(writer: Any, project: Any) -> None:
    """REST: an ETag is another after a set, a delete, or both."""
    first = writer.store(project, 1)["ETag"]
    second = writer.store(project, 1)["ETag"]
    writer.remove(project)
    third = writer.store(project, 1)["ETag"]
    assert len({first, second, third}) == 3
    for tag in (first, second, f'W/{second}, "x", x'):
        assert writer.read(project, **{"if-none-match": tag}).status_code == 200
    for tag in (third, f'"a,b", W/{third}', "*"):
        assert writer.read(project, **{"if-none-match": tag}).status_code == 304


def test_two_sets_in_one_tick_of_the_clock_differ(writer: Any, project: Any) -> None:
    """REST: an ETag is no date, so that it tells apart what a clock can't."""
    with time_machine.travel(1_900_000_000, tick=False):
        first = writer.store(project, 1)
        second = writer.store(project, 2)
        assert first["Last-Modified"] == second["Last-Modified"]
        response = writer.read(project, **{"if-none-match": first["ETag"]})
    assert (response.status_code, response.json()["data"]) == (200, 2)


def test_saving_the_model_changes_the_etag(writer: Any, project: Any, items: Any) -> None:
    """REST: code that saves the model instance itself is no way around the ETag."""
    first = writer.store(project, 1)["ETag"]
    item = items.get()
    item.data = 2
    item.save()
    assert writer.read(project, **{"if-none-match": first}).json()["data"] == 2


def test_a_read_that_must_see_one_state_is_412(writer: Any, project: Any) -> None:
    """REST: If-Match on a read, too."""
    first = writer.store(project, 1)["ETag"]
    assert writer.read(project, **{"if-match": first}).status_code == 200
    writer.store(project, 2)
    response = writer.read(project, **{"if-match": first})
    assert (response.status_code, list(response.json())) == (412, ["detail"])


def test_answers_are_not_for_shared_caches(writer: Any, project: Any) -> None:
    """REST: neither a proxy nor a browser takes an answer for fresh without asking."""
    writer.store(project, 1)
    for kind in ("retrieve", "retrieve/date"):
        assert writer.get(writer.address(kind, project))["Cache-Control"] == "private, no-cache"


def test_head_is_get_without_a_body(writer: Any, project: Any) -> None:
    """REST: HEAD gives the same headers."""
    writer.store(project, 1)
    head = writer.head(writer.address("retrieve", project))
    assert (head.status_code, head.content) == (200, b"")
    assert head["ETag"] == writer.read(project)["ETag"]


def test_a_site_without_the_backend_answers_503(writer: Any, project: Any, site: Any) -> None:
    """REST: the backend is asked for at each request."""
    site.SODARCACHE_ENABLED_BACKEND_PLUGINS = []
    for response in (
        writer.read(project),
        writer.get(writer.address("retrieve/date", project)),
        writer.store(project, 1),
        writer.remove(project),
        writer.get(f"/cache/api/list/{project.sodar_uuid}"),
        writer.post(f"/cache/api/set/{project.sodar_uuid}", {"items": []}, format="json"),
    ):
        assert response.status_code == 503
