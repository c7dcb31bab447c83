"""R7: requests differ by URL, body and chosen headers."""

from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint, RecordCache
from cacheback_app.records.addresses import signature
from tests.records.endpoint.api import Api, Tracker
from tests.records.endpoint.conftest import Ask, Make

URL = "http://api.example.org/v9/x"
CHOSEN = ["Accept", "X-Team"]


def sign(url: str = URL, **options: Any) -> str:
    """Return the signature of a request."""
    return signature(httpx.Request(options.pop("method", "GET"), url, **options), CHOSEN)


DIFFERENT = [
    {},
    {"method": "POST"},
    {"url": URL + "/"},
    {"url": URL + "?a=1"},
    {"url": URL + "?a=1&a=2"},
    {"url": URL + "?a=2&a=1"},
    {"url": URL + "?a=1%26a=2"},
    {"url": URL.replace("x", "X", 1).replace("eXample", "example") + "Y"},
    {"url": URL.replace("http", "https")},
    {"url": URL.replace("org", "org:8080")},
    {"content": b"{}"},
    {"content": b"[]"},
    {"headers": {"X-Team": "a"}},
    {"headers": {"X-Team": ""}},
    {"headers": {"X-Team": "a", "Accept": "b"}},
    {"headers": {"Accept": "a"}},
    {"headers": [("X-Team", "a"), ("X-Team", "b")]},
    {"headers": {"X-Team": "a, b"}},
]


def test_different_requests() -> None:
    """R7: no two of these have one signature."""
    assert len({sign(**options) for options in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "HTTP://API.example.ORG:80/v9/x"},
        {"url": URL + "#part"},
        {"headers": {"X-Other": "a"}},
    ],
)
def test_equal_requests(options: Any) -> None:
    """R7: what makes no difference to the server makes none here."""
    assert sign(**options) == sign()


def test_the_order_of_chosen_headers_is_none() -> None:
    """R7: headers are chosen in any order and case."""
    request = httpx.Request("GET", URL, headers={"A": "1", "B": "2"})
    assert signature(request, ["a", "b"]) == signature(request, ["B", "A", "b"])


def test_lists_of_one_endpoint(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """R7: each path and query has its own answer, though all records are in one cache."""
    for _ in range(2):
        assert len(ask(endpoint, "trackers")) == 3
        assert ask(endpoint, "trackers?name=b") == [Tracker(2, "b")]
        assert ask(endpoint, "trackers?page=2") == [Tracker(3, "c")]
        assert ask(endpoint, "trackers?page=3") == []
        assert ask(endpoint, "trackers/1") == Tracker(1, "a")
    assert api.count == 5


def test_bodies_and_headers_count(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """R7: a search in the body, another language and another user are other requests."""
    variants: list[dict[str, Any]] = [
        {},
        {"body": {"q": "a"}},
        {"body": {"q": "b"}},
        {"headers": {"Accept-Language": "cy"}},
        {"headers": {"Authorization": "Bearer x"}},
    ]
    for _ in range(2):
        for options in variants:
            endpoint.request("trackers", **options)
        endpoint.request("trackers", headers={"X-Request-Id": "no matter"})
    assert api.count == len(variants)


def test_users_of_one_cache(api: Api, make: Make, cache: RecordCache[Any]) -> None:
    """R7: what was answered to one user's password is not given to another."""
    for user in ["alice", "bob", "alice"]:
        with httpx.Client(auth=(user, "x")) as client:
            make(api, cache, client).request("trackers")
    assert api.count == 2
    assert [one["headers"]["authorization"][:5] for one in api.log] == ["Basic"] * 2


def test_headers_can_be_chosen(api: Api, make: Make, cache: RecordCache[Any]) -> None:
    """R7: ``vary_headers`` says which headers count."""
    endpoint = make(api, cache, vary_headers=["X-Team"])
    for team in ["red", "blue", "red"]:
        endpoint.request("trackers", headers={"X-Team": team, "Accept-Language": team})
    assert api.count == 2


def test_nothing_of_a_request_is_in_the_cache(
    api: Api, endpoint: CachedEndpoint[Any], tmp_path: Any
) -> None:
    """A key in a URL or header is not written to disk."""
    endpoint.request("trackers?key=secret", headers={"Authorization": "Bearer secret"})
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b'"name":"a"' in content.replace(b" ", b"") for content in written)
    assert not any(b"secret" in content for content in written)
