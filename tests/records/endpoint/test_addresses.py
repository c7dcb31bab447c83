"""No request leaves the API: the client's credentials go with it."""

from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint
from cacheback_app.records.addresses import check_base, is_same_origin, joined
from tests.records.endpoint.api import PATH, Api, Tracker, endpoint_class
from tests.records.endpoint.conftest import Ask, Make

BASE = "https://api.example.org/v9/"


@pytest.mark.parametrize(
    ("parameters", "url"),
    [
        ("", BASE),
        ("me", BASE + "me"),
        ("/me", BASE + "me"),
        ("me/", BASE + "me/"),
        ("me?a=1&b=/../x", BASE + "me?a=1&b=/../x"),
        ("?a=1", BASE + "?a=1"),
        ("a:b", BASE + "a:b"),
        ("@example.com", BASE + "@example.com"),
        ("a..b/...", BASE + "a..b/..."),
        ("a%2Fb", BASE + "a%2Fb"),
    ],
)
def test_paths_below_the_base(parameters: str, url: str) -> None:
    """What is a relative path ends up below the base, with or without its last slash."""
    assert joined(BASE, parameters) == url
    if parameters and not parameters.startswith("?"):
        assert joined(BASE.rstrip("/"), parameters) == url


OUTSIDE = [
    "http://evil.example/",
    "HTTPS://evil.example/",
    "//evil.example/x",
    "///evil.example",
    "/%2Fevil.example",
    "..",
    "../v8/x",
    "a/../../x",
    "a/./b",
    "%2e%2e/x",
    "a/.%2E/x",
    "a/..;/x",
    "a/%2e%2e%3bx=1/y",
    "..%2fx",
    "..\\x",
    "\\\\evil.example",
    "a%5c..%5cb",
    "a b",
    "a\nHost: evil.example",
    "a%00",
    "a%0d%0aX: y",
    "a?b=\n",
    "a#b",
]


@pytest.mark.parametrize("parameters", OUTSIDE)
def test_paths_outside_the_base(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, parameters: str
) -> None:
    """However it is written, what leads out of the base is refused before anything is sent."""
    with pytest.raises(ValueError, match="below BASE_ENDPOINT"):
        ask(endpoint, parameters)
    assert api.count == 0


@pytest.mark.parametrize("parameters", [None, 7, b"me"])
def test_parameters_are_text(endpoint: CachedEndpoint[Any], parameters: Any) -> None:
    """Anything else is a TypeError."""
    with pytest.raises(TypeError, match="text"):
        endpoint.request(parameters)


@pytest.mark.parametrize(
    "base", ["", "api.example.org", "ftp://x/", "https://", BASE + "?key=1", BASE + "#x"]
)
def test_the_base_is_a_url(base: str) -> None:
    """An endpoint that could never work is refused when it is made."""
    with pytest.raises(ValueError, match="BASE_ENDPOINT"):
        check_base(base)


@pytest.mark.parametrize(
    ("ours", "other", "same"),
    [
        ("http://a/", "http://a:80/x", True),
        ("http://a/", "https://a/", True),
        ("https://a/", "http://a/", False),
        ("http://a:8000/", "https://a/", False),
        ("http://a/", "http://a:8000/", False),
        ("http://a/", "http://b/", False),
        ("http://a/", "http://a.b/", False),
    ],
)
def test_same_origin(ours: str, other: str, same: bool) -> None:
    """The same server or its HTTPS, never a way back to plain HTTP."""
    assert is_same_origin(httpx.URL(ours), httpx.URL(other)) is same


def test_redirects_within_the_api(api: Api, endpoint: CachedEndpoint[Any], ask: Ask) -> None:
    """A redirect on the same server is followed, and its answer kept for what was asked."""
    api.will_answer({"status": 301, "headers": {"Location": f"{PATH}/1"}}, path="/v9/first")
    for _ in range(2):
        assert ask(endpoint, "first") == Tracker(1, "a")
    assert api.count == 2


def test_redirects_to_another_server(
    api: Api, own_api: Api, make: Make, cache: Any, ask: Ask
) -> None:
    """Elsewhere nothing arrives, neither the request nor its headers; the error names the place."""
    elsewhere = f"{own_api.base}trackers"
    api.will_answer({"status": 302, "headers": {"Location": elsewhere}})
    endpoint = make(api, cache)
    with pytest.raises(httpx.HTTPStatusError, match=elsewhere):
        ask(endpoint, "trackers", headers={"X-Api-Key": "secret"})
    assert own_api.count == 0


def test_redirects_in_a_circle(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """They are followed a few times and are then an error."""
    api.will_answer(*[{"status": 302, "headers": {"Location": PATH}}] * 20)
    with pytest.raises(httpx.HTTPStatusError, match="302"):
        endpoint.request("trackers")
    assert api.count == 6


def test_a_post_is_not_redirected_into_a_get(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """303 to a POST is an error: what it leads to need not be a record."""
    from cacheback_app.records import RequestMethod

    api.will_answer({"status": 303, "headers": {"Location": f"{PATH}/1"}})
    with pytest.raises(httpx.HTTPStatusError, match="303"):
        endpoint.request("trackers", body={"name": "x"}, method=RequestMethod.POST)
    assert api.count == 1


def test_a_clients_own_base_does_not_matter(api: Api) -> None:
    """A client with a ``base_url`` and ``follow_redirects`` asks what the endpoint says."""
    api.will_answer({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}})
    with (
        httpx.Client(base_url="http://127.0.0.1:1/", follow_redirects=True) as client,
        pytest.raises(httpx.HTTPStatusError, match="302"),
    ):
        endpoint_class(api)(client=client).request("trackers")
