"""What POST, PUT, PATCH and DELETE do to the cache, after the server agreed."""

import threading
from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint, RequestMethod, Source
from tests.records.endpoint.api import PATH, Api, Tracker
from tests.records.endpoint.conftest import Ask

A, B, C = Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")
D = Tracker(4, "d")
GET, POST, PUT, PATCH, DELETE = map(RequestMethod, ["GET", "POST", "PUT", "PATCH", "DELETE"])


def by_id(endpoint: CachedEndpoint[Any]) -> list[Any]:
    """Return what is in the cache."""
    return sorted(endpoint.load_cache(), key=lambda record: record.id)


def test_post_adds(endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """The record that the server made is in the cache, and the list is asked for again."""
    ask(endpoint, "trackers")
    assert ask(endpoint, "trackers", None, {"name": "d"}, POST) == D
    assert by_id(endpoint) == [A, B, C, D]
    assert ask(endpoint, "trackers") == [A, B, C, D]


@pytest.mark.parametrize("method", [PUT, PATCH])
def test_put_and_patch_replace(endpoint: CachedEndpoint[Any], ask: Ask, method: Any) -> None:
    """The record as the server has it now is in the place of the old one."""
    ask(endpoint, "trackers")
    found = ask(endpoint, "trackers/2", None, {"name": "z"}, method)
    assert found == Tracker(2, "z")
    assert by_id(endpoint) == [A, found, C]
    assert ask(endpoint, "trackers/2") == found


def test_delete_deletes(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """204 says nothing, so the record of the URL's last part is removed."""
    ask(endpoint, "trackers")
    assert ask(endpoint, "trackers/2", method=DELETE) is None
    assert by_id(endpoint) == [A, C]
    assert ask(endpoint, "trackers") == [A, C]


def test_delete_goes_by_the_answer(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """What the server says it has deleted counts more than the URL."""
    endpoint.request("trackers")
    api.will_answer({"body": [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}]}, path=f"{PATH}/2")
    endpoint.request("trackers/2", method=DELETE)
    assert by_id(endpoint) == [B]


@pytest.mark.parametrize("body", ["OK", {}, {"deleted": True}, {"id": 2}, [2], "2", "{"])
def test_whatever_a_delete_is_answered_with(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, body: Any
) -> None:
    """A server that answers a DELETE with no record has agreed all the same (section 5)."""
    ask(endpoint, "trackers")
    api.will_answer({"body": body}, path=f"{PATH}/2")
    assert ask(endpoint, "trackers/2", method=DELETE) is None
    assert by_id(endpoint) == [A, C]
    ask(endpoint, "trackers")
    assert api.count == 3


@pytest.mark.parametrize("method", [POST, PUT, PATCH])
def test_a_change_without_an_answer(
    api: Api, endpoint: CachedEndpoint[Any], method: RequestMethod
) -> None:
    """204 to a change: the record that we had is no longer the server's, and is removed."""
    endpoint.request("trackers")
    api.will_answer({"status": 204}, path=f"{PATH}/2")
    assert endpoint.request("trackers/2", body={"name": "z"}, method=method) is None
    assert by_id(endpoint) == [A, C]


@pytest.mark.parametrize("last", ["all", "1.5", "%00", "2;x"])
def test_a_url_without_an_id(api: Api, endpoint: CachedEndpoint[Any], last: str) -> None:
    """A last part that is no id of the model deletes no record; lists are asked for again."""
    endpoint.request("trackers")
    path = f"{PATH}/{last}"
    if last == "%00":
        path = f"{PATH}/none"
        last = "none"
    api.will_answer({"status": 204}, path=path)
    endpoint.request(f"trackers/{last}", method=DELETE)
    assert by_id(endpoint) == [A, B, C]
    assert endpoint.request("trackers") == [A, B, C]
    assert api.count == 3


@pytest.mark.parametrize("method", [POST, PUT, PATCH, DELETE])
def test_refused_changes_change_nothing(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, method: RequestMethod
) -> None:
    """R6: a 4xx leaves records and lists as they were."""
    ask(endpoint, "trackers")
    api.will_answer({"status": 409, "body": {"id": 2, "name": "z"}}, path=f"{PATH}/2")
    with pytest.raises(httpx.HTTPStatusError):
        ask(endpoint, "trackers/2", None, {"name": "z"}, method)
    assert by_id(endpoint) == [A, B, C]
    ask(endpoint, "trackers")
    assert api.count == 2


def test_a_change_with_an_unknown_outcome(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """A POST whose answer was cut off is not sent again, and lists are asked for again."""
    endpoint.request("trackers")
    api.will_answer({"status": 201, "body": "{", "short": 9})
    with pytest.raises(httpx.RemoteProtocolError):
        endpoint.request("trackers", body={"name": "d"}, method=POST)
    endpoint.request("trackers")
    assert [one["method"] for one in api.log] == ["GET", "POST", "GET"]


def test_changes_outdate_every_list(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """Any list may have changed with a record, so each is asked for again, conditionally."""
    lists = ["trackers", "trackers?name=a", "trackers?page=1"]
    for each in lists:
        endpoint.request(each)
    endpoint.request("trackers/2", body={"name": "a"}, method=PATCH)
    assert endpoint.request(lists[1]) == [A, Tracker(2, "a")]
    for each in lists:
        endpoint.request(each)
    assert api.count == 3 + 1 + 3
    assert "if-none-match" in api.log[-1]["headers"]


def test_what_was_asked_before_a_change_is_not_kept(
    api: Api, endpoint: CachedEndpoint[Any]
) -> None:
    """A list that was on its way during a POST reaches its caller, and not the cache."""
    api.will_answer({"gate": "late", "body": [{"id": 1, "name": "a"}]})
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(endpoint.request("trackers")))
    reader.start()
    api.wait_for(1)
    endpoint.request("trackers", body={"name": "d"}, method=POST)
    api.open("late")
    reader.join()
    assert found == [[A]]
    assert endpoint.load_cache() == [D]
    assert endpoint.request("trackers") == [A, B, C, D]


def test_a_reader_after_a_change_does_not_join_an_earlier_flight(
    api: Api, endpoint: CachedEndpoint[Any]
) -> None:
    """Who asks after a POST gets what is true after it, though an older request is under way."""
    api.will_answer({"gate": "late", "body": [{"id": 1, "name": "a"}]})
    reader = threading.Thread(target=lambda: endpoint.request("trackers"))
    reader.start()
    api.wait_for(1)
    endpoint.request("trackers", body={"name": "d"}, method=POST)
    assert endpoint.request("trackers") == [A, B, C, D]
    api.open("late")
    reader.join()
    assert endpoint.request("trackers") == [A, B, C, D]
    assert endpoint.last_answer
    assert endpoint.last_answer.source is Source.CACHE
