"""R1, R6: what a request gives, and what it leaves in the cache."""

import gc
from dataclasses import dataclass
from typing import Any

import httpx
import pydantic
import pytest

from cacheback_app.records import (
    CachedEndpoint,
    InvalidResponse,
    NoCacheAssignedError,
    Query,
    RecordCache,
    RequestMethod,
    Source,
)
from tests.records.endpoint.api import PATH, Api, Tracker, endpoint_class
from tests.records.endpoint.conftest import Ask, Make

A, B, C = Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")


def source(endpoint: CachedEndpoint[Any]) -> Source:
    """Return where its last answer came from."""
    assert endpoint.last_answer
    return endpoint.last_answer.source


def test_a_list_is_asked_for_once(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """The first request goes to the server, the second to the cache; both give the same list."""
    assert ask(endpoint, "trackers") == [A, B, C]
    assert source(endpoint) is Source.NETWORK
    assert ask(endpoint, "trackers") == [A, B, C]
    assert source(endpoint) is Source.CACHE
    assert api.count == 1


def test_a_single_record_stays_one(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """A record comes from server and cache as a record, not as a list of one."""
    assert [ask(endpoint, "trackers/2") for _ in range(2)] == [B, B]
    assert ask(endpoint, "trackers?name=b") == [B]
    assert api.count == 2


@pytest.mark.parametrize("body", ["", "null"])
def test_an_empty_answer_is_none(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, body: str
) -> None:
    """Nothing, or a JSON null, is None, and is kept as such."""
    api.will_answer({"body": body})
    assert [ask(endpoint, "trackers") for _ in range(2)] == [None, None]
    assert api.count == 1


def test_what_is_returned_is_the_callers(endpoint: CachedEndpoint[Any]) -> None:
    """Changing an answer changes nothing that is kept."""
    for _ in range(2):
        found = endpoint.request("trackers")
        found[0].tags.append("mine")
        found.clear()
    assert endpoint.request("trackers") == [A, B, C]


def test_refresh_asks_the_server(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """``refresh=True`` gets and keeps what is new, though the cache has not expired."""
    ask(endpoint, "trackers")
    api.has({"id": 1, "name": "new"})
    assert ask(endpoint, "trackers") == [A, B, C]
    assert ask(endpoint, "trackers", refresh=True) == [Tracker(1, "new")]
    assert ask(endpoint, "trackers") == [Tracker(1, "new")]


def test_not_modified_extends(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, time_machine: Any
) -> None:
    """R6: 304 gives what is cached, which is fresh for another ``expire_after``."""
    assert endpoint.cache
    endpoint.cache.expire_after = 60
    time_machine.move_to(1_000_000_000.0, tick=False)
    ask(endpoint, "trackers")
    for now, known in [(1_000_000_061.0, Source.NOT_MODIFIED), (1_000_000_120.0, Source.CACHE)]:
        time_machine.move_to(now, tick=False)
        assert ask(endpoint, "trackers") == [A, B, C]
        assert source(endpoint) is known
    assert endpoint.query(Query("name", "b")) == [B]
    first, second = api.log
    assert "if-none-match" not in first["headers"]
    assert second["headers"]["if-none-match"].startswith('"')
    assert "if-modified-since" in second["headers"]


def test_last_modified_alone_will_do(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """R6: a server without ETags is asked by the date."""
    date = "Sat, 01 Jan 2022 00:00:00 GMT"
    api.will_answer(
        {"body": [{"id": 7, "name": "x"}], "headers": {"Last-Modified": date}}, {"status": 304}
    )
    for _ in range(2):
        assert endpoint.request("trackers", refresh=True) == [Tracker(7, "x")]
    assert api.log[1]["headers"]["if-modified-since"] == date
    assert "if-none-match" not in api.log[1]["headers"]


def test_not_modified_of_what_is_gone(
    api: Api, endpoint: CachedEndpoint[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R6: when another process has emptied the cache meanwhile, the server is asked once more."""
    cache = endpoint.cache
    assert cache
    endpoint.request("trackers/1")
    monkeypatch.setattr(cache, "extend_answer", lambda signature: cache.delete_entry(A))
    assert endpoint.request("trackers/1", refresh=True) == A
    assert source(endpoint) is Source.NETWORK
    assert "if-none-match" not in api.log[-1]["headers"]


BAD = [
    ([{"id": 1, "name": "a"}, {"id": "x", "name": "b"}], "1.id"),
    ([{"id": 1}], "0.name"),
    ({"id": 1, "name": None}, "name"),
    ({"id": 1, "name": "a", "start": "yesterday"}, "start"),
    ({"id": 1, "name": "a", "tags": [1, {}]}, "tags.0"),
    ({"detail": "no"}, "id"),
    ([[]], "0"),
    ("<html>", ""),
    ("[{", ""),
    ("7", ""),
    ('"text"', ""),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_a_bad_answer_names_the_field(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, body: Any, field: str
) -> None:
    """R6: it is an error with the field's place in it, and the cache is left as it was."""
    ask(endpoint, "trackers")
    api.will_answer({"body": body})
    with pytest.raises(InvalidResponse, match="Tracker") as caught:
        ask(endpoint, "trackers", refresh=True)
    assert caught.value.field == field
    assert repr(field) in str(caught.value) or not field
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    assert endpoint.load_cache() == [A, B, C]
    assert ask(endpoint, "trackers") == [A, B, C]
    assert source(endpoint) is Source.CACHE


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_bad_answer_to_a_change(api: Api, endpoint: CachedEndpoint[Any], method: str) -> None:
    """R6: what the server says of a change is validated, too, before it reaches the cache."""
    endpoint.request("trackers")
    api.will_answer({"body": {"id": 1, "name": 5}}, path=f"{PATH}/1")
    with pytest.raises(InvalidResponse, match="'name'"):
        endpoint.request("trackers/1", body={"name": "z"}, method=RequestMethod(method))
    assert endpoint.load_cache() == [A, B, C]


def test_an_error_tells_no_secrets(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """R6: the message has neither the query, which may hold a key, nor the server's values."""
    api.will_answer({"body": {"id": "a password", "name": "x"}})
    with pytest.raises(InvalidResponse) as caught:
        endpoint.request("trackers?key=secret")
    assert "secret" not in str(caught.value)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_httpxs_error(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, status: int
) -> None:
    """Any other 4xx is raised as httpx has it, is not repeated, and changes nothing."""
    ask(endpoint, "trackers")
    api.will_answer({"status": status, "body": {"detail": "no"}})
    with pytest.raises(httpx.HTTPStatusError) as caught:
        ask(endpoint, "trackers", refresh=True)
    assert caught.value.response.json() == {"detail": "no"}
    assert api.count == 2
    assert endpoint.load_cache() == [A, B, C]


def test_raw_is_the_response(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """``raw=True`` gives httpx's response, whatever its status, and neither reads nor keeps."""
    ask(endpoint, "trackers")
    api.will_answer({"status": 418, "body": "short and stout"})
    response = ask(endpoint, "trackers", raw=True)
    assert isinstance(response, httpx.Response)
    assert (response.status_code, response.text) == (418, "short and stout")
    assert ask(endpoint, "trackers/1", raw=True).json() == {"id": 1, "name": "a"}
    ask(endpoint, "trackers/1")
    assert api.count == 4


def test_a_raw_change_outdates(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """After a raw POST that the server agreed to, lists are asked for again."""
    endpoint.request("trackers")
    endpoint.request("trackers", body={"name": "d"}, method=RequestMethod.POST, raw=True)
    assert endpoint.request("trackers") == [A, B, C, Tracker(4, "d")]


@pytest.mark.parametrize(
    "call",
    [
        lambda endpoint: endpoint.load_cache(),
        lambda endpoint: endpoint.save_cache([], RequestMethod.GET),
        lambda endpoint: endpoint.query(),
    ],
)
def test_without_a_cache(api: Api, make: Make, call: Any) -> None:
    """R1: an endpoint without a cache says so when it needs one."""
    with pytest.raises(NoCacheAssignedError, match="TrackerEndpoint"):
        call(make(api))


def test_requests_need_no_cache(api: Api, make: Make, ask: Ask) -> None:
    """Without a cache every request goes to the server, changes included."""
    endpoint = make(api)
    assert ask(endpoint, "trackers/1") == ask(endpoint, "trackers/1") == A
    assert ask(endpoint, "trackers/1", method=RequestMethod.DELETE) is None
    assert api.count == 3


def test_the_endpoint_is_the_caches_parent(api: Api, make: Make, cache: RecordCache[Any]) -> None:
    """R1: a cache that is assigned, early or late, gets the endpoint as its parent."""
    assert make(api, cache).cache is cache
    later = make(api)
    later.cache = cache
    assert cache.parent is later


def test_a_cache_keeps_one_model(api: Api, make: Make, cache: RecordCache[Any]) -> None:
    """A cache of trackers is refused by an endpoint of something else, which would misread it."""

    @dataclass
    class Other:
        id: int

    make(api, cache)
    with pytest.raises(ValueError, match="keeps Tracker"):
        endpoint_class(api, Other)(cache)


def test_an_async_client_is_for_arequest(api: Api, make: Make) -> None:
    """``request`` over an ``AsyncClient`` is a TypeError that says what to call."""
    with pytest.raises(TypeError, match="arequest"):
        make(api, None, httpx.AsyncClient()).request("trackers")


def test_clients_are_closed_by_who_made_them(api: Api, make: Make) -> None:
    """``close`` and ``with`` close the endpoint's own client, and leave a given one open."""
    with httpx.Client() as given:
        with make(api, None, given) as endpoint:
            endpoint.request("trackers")
        assert not given.is_closed
    with make(api) as endpoint:
        endpoint.request("trackers")
        own = endpoint.client
    assert own.is_closed
    assert endpoint.request("trackers") == [A, B, C]


def test_a_client_is_closed_with_its_endpoint(api: Api) -> None:
    """Nobody has to close an endpoint: its own client is closed when nothing refers to it."""
    endpoint = endpoint_class(api)()
    endpoint.request("trackers")
    own = endpoint.client
    del endpoint
    gc.collect()
    assert own.is_closed


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ({"name": "d"}, '{"name":"d"}', "application/json"),
        (Tracker(9, "d"), '{"id":9,"name":"d","start":null,"tags":[]}', "application/json"),
        ("name=d", "name=d", None),
        (b"name=d", "name=d", None),
    ],
)
def test_bodies(
    api: Api, endpoint: CachedEndpoint[Any], body: Any, sent: str, kind: str | None
) -> None:
    """Text and bytes are sent as they are, anything else as JSON, records included."""
    api.will_answer({"body": {"id": 9, "name": "d"}})
    endpoint.request("trackers", body=body, method=RequestMethod.POST)
    assert api.log[0]["body"] == sent
    assert api.log[0]["headers"].get("content-type") == kind


def test_a_payload_can_be_unwrapped(api: Api, cache: RecordCache[Any]) -> None:
    """An endpoint says what of a response is its records."""

    class Wrapped(endpoint_class(api)):  # type: ignore[misc]
        def payload(self, response: httpx.Response) -> Any:
            return response.json()["results"]

    api.will_answer({"body": {"next": None, "results": [{"id": 1, "name": "a"}]}})
    with Wrapped(cache) as endpoint:
        assert endpoint.request("trackers") == [A]
        assert endpoint.request("trackers/1", method=RequestMethod.DELETE) is None  # 204
        assert endpoint.load_cache() == []


def test_pydantic_models(api: Api, make: Make, cache: RecordCache[Any]) -> None:
    """A pydantic model is as good as a dataclass."""

    class Model(pydantic.BaseModel):
        id: int
        name: str

    with endpoint_class(api, Model)(cache) as endpoint:
        assert [endpoint.request("trackers/1") for _ in range(2)] == [Model(id=1, name="a")] * 2
