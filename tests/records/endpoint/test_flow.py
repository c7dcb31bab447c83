"""The flow of a request, arrow by arrow, as ``docs/records-flow.md`` draws it."""

import re
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.records import (
    CachedEndpoint,
    Comparison,
    InvalidResponse,
    JSONCache,
    Query,
    RecordCache,
    RequestMethod,
    Source,
    SqliteCache,
)
from tests.records.endpoint.api import PATH, Api, Tracker
from tests.records.endpoint.conftest import Make
from tests.services import ROOT

A, B, C = Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")
GET, POST, PUT, PATCH, DELETE = map(RequestMethod, ["GET", "POST", "PUT", "PATCH", "DELETE"])
DOCS = (ROOT / "docs" / "records-flow.md").read_text()


@pytest.fixture(params=[JSONCache, SqliteCache])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> RecordCache[Any]:
    """An empty cache of either kind, which keeps for a minute."""
    made: RecordCache[Any] = request.param(tmp_path / "cache", 60)
    return made


def source(endpoint: CachedEndpoint[Any]) -> Source:
    """Return where its last answer came from."""
    assert endpoint.last_answer
    return endpoint.last_answer.source


def test_request_load(endpoint: CachedEndpoint[Any]) -> None:
    """An endpoint loads all records that its requests have brought."""
    endpoint.request("trackers/3")
    endpoint.request("trackers/1")
    assert endpoint.load_cache() == [C, A]


def test_request_query(endpoint: CachedEndpoint[Any]) -> None:
    """An endpoint queries them without the server."""
    endpoint.request("trackers")
    assert endpoint.query(Query("id", 2, Comparison.GREATER_THAN_OR_EQUAL)) == [B, C]


def test_request_find(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """A GET that has a fresh answer in the cache is answered from there."""
    endpoint.request("trackers")
    assert endpoint.request("trackers") == [A, B, C]
    assert source(endpoint) is Source.CACHE
    assert api.count == 1


@pytest.mark.parametrize("age", [None, 61])
def test_find_server(
    api: Api, endpoint: CachedEndpoint[Any], time_machine: Any, age: float | None
) -> None:
    """A GET without an answer in the cache, or with one that has expired, asks the server."""
    time_machine.move_to(1_000_000_000.0, tick=False)
    if age:
        endpoint.request("trackers")
        time_machine.move_to(1_000_000_000.0 + age, tick=False)
        api.has({"id": 1, "name": "a"})
    endpoint.request("trackers")
    assert source(endpoint) is Source.NETWORK


@pytest.mark.parametrize("method", [POST, PUT, PATCH, DELETE])
def test_request_server(api: Api, endpoint: CachedEndpoint[Any], method: RequestMethod) -> None:
    """Any other method asks the server, whatever is in the cache."""
    endpoint.request("trackers/1")
    endpoint.request("trackers/1", body={"name": "a"}, method=method) if method is not POST else (
        endpoint.request("trackers", body={"name": "a"}, method=method)
    )
    assert api.log[-1]["method"] == method.value


def test_server_valid(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """What the server answers becomes records of the model: text in JSON is a number here."""
    api.will_answer({"body": {"id": "7", "name": "x", "unknown": True}})
    assert endpoint.request("trackers") == Tracker(7, "x")


def test_valid_error(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """What is no record of the model is an error, and reaches no cache."""
    api.will_answer({"body": [{"id": 1, "name": "a"}, {"id": 2}]})
    with pytest.raises(InvalidResponse, match=r"'1\.name'"):
        endpoint.request("trackers")
    assert endpoint.load_cache() == []


def test_valid_none(endpoint: CachedEndpoint[Any]) -> None:
    """An empty answer returns None."""
    endpoint.request("trackers")
    assert endpoint.request("trackers/1", method=DELETE) is None


def test_save_list(endpoint: CachedEndpoint[Any]) -> None:
    """A list is returned as a list, in the server's order."""
    assert endpoint.request("trackers") == [A, B, C]


def test_save_single(endpoint: CachedEndpoint[Any]) -> None:
    """A single object is returned as such."""
    assert endpoint.request("trackers/1") == A


@pytest.mark.parametrize("method", [GET, PUT])
def test_save_add_find(endpoint: CachedEndpoint[Any], method: RequestMethod) -> None:
    """GET and PUT add the server's record, which is found then."""
    cache = endpoint.cache
    assert cache
    assert cache.find_method(method) == cache.add_entry
    assert cache.find_entry({"id": 2}) is None
    endpoint.request("trackers/2", None, {"name": "b"} if method is PUT else None, method)
    assert cache.find_entry({"id": 2}) == B


@pytest.mark.parametrize("method", [POST, PATCH])
def test_save_update_find(api: Api, endpoint: CachedEndpoint[Any], method: RequestMethod) -> None:
    """POST and PATCH update the record that is found, or add it."""
    cache = endpoint.cache
    assert cache
    assert cache.find_method(method) == cache.update_entry
    for name in ["new", "newer"]:
        api.will_answer({"body": {"id": 2, "name": name}}, path=f"{PATH}/2")
        endpoint.request("trackers/2", body={"name": name}, method=method)
        assert cache.find_entry({"id": 2}) == Tracker(2, name)


def test_save_delete_find(endpoint: CachedEndpoint[Any]) -> None:
    """DELETE deletes the record, which is found no more."""
    cache = endpoint.cache
    assert cache
    assert cache.find_method(DELETE) == cache.delete_entry
    endpoint.request("trackers")
    endpoint.request("trackers/2", method=DELETE)
    assert cache.find_entry({"id": 2}) is None
    assert endpoint.load_cache() == [A, C]


@pytest.mark.parametrize("method", [POST, PUT, PATCH, DELETE])
def test_save_outdate(api: Api, endpoint: CachedEndpoint[Any], method: RequestMethod) -> None:
    """A change outdates the answers that are kept: the next GET asks the server."""
    endpoint.request("trackers")
    api.will_answer({"body": {"id": 1, "name": "a"}}, path=f"{PATH}/1")
    endpoint.request("trackers/1", body={"name": "a"}, method=method)
    endpoint.request("trackers")
    assert source(endpoint) is Source.NOT_MODIFIED


def test_server_extend_find(api: Api, endpoint: CachedEndpoint[Any], time_machine: Any) -> None:
    """304 extends what is cached, which is found and returned."""
    time_machine.move_to(1_000_000_000.0, tick=False)
    endpoint.request("trackers")
    time_machine.move_to(1_000_000_061.0, tick=False)
    assert endpoint.load_cache() == []
    assert endpoint.request("trackers") == [A, B, C]
    assert source(endpoint) is Source.NOT_MODIFIED
    assert endpoint.load_cache() == [A, B, C]


def test_server_stale(own_api: Api, make: Make, cache: RecordCache[Any], time_machine: Any) -> None:
    """When the server is gone, what has expired is returned, and said to be stale."""
    endpoint = make(own_api, cache)
    time_machine.move_to(1_000_000_000.0, tick=False)
    endpoint.request("trackers")
    time_machine.move_to(1_000_000_061.0, tick=False)
    own_api.kill()
    assert endpoint.request("trackers") == [A, B, C]
    assert source(endpoint) is Source.STALE


def test_every_arrow_has_its_test() -> None:
    """Each numbered arrow of the picture has a row in the table, and each row a test here."""
    picture, table = re.findall(r"```mermaid\n(.*?)```(.*?)\n## ", DOCS, re.DOTALL)[0]
    drawn = re.findall(r"\|(\d+)\b", picture)
    told = re.findall(r"^\| (\d+) \|.*`(test_\w+)` \|$", table, re.MULTILINE)
    assert drawn
    assert sorted(drawn, key=int) == [number for number, _ in told]
    here = {name for name in globals() if name.startswith("test_")}
    assert {name for _, name in told} == here - {"test_every_arrow_has_its_test"}
