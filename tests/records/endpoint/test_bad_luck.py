"""Requests that can't be sent, answers that can't be read, and clocks and processes that jump."""

import gc
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
import pytest
import time_machine
from pydantic import BaseModel

from cacheback_app.records import CachedEndpoint, JSONCache, RequestMethod, Source
from cacheback_app.records.requesting import fence_of
from cacheback_app.records.responses import identifiers
from tests.records.endpoint.api import PATH, Api, Tracker, endpoint_class
from tests.records.endpoint.conftest import Ask, Make

ALL = [Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")]
Id = TypeVar("Id")


def test_a_header_that_cannot_be_sent(
    api: Api, make: Make, cache: JSONCache[Any], ask: Ask
) -> None:
    """A header with a line break is its sender's error: no outage for all others, no old answer."""
    endpoint = make(api, cache)
    ask(endpoint, "trackers")
    cache.outdate_answers()
    for wrong in ({"X-Name": "a\r\nX-Admin: 1"}, {"X-Name": "b"}):
        api.has({"id": 1, "name": wrong["X-Name"][0]})
        if "\n" in wrong["X-Name"]:
            with pytest.raises(httpx.LocalProtocolError):
                ask(endpoint, "trackers", wrong)
        else:
            assert ask(endpoint, "trackers", wrong) == [Tracker(1, "b")]
            assert endpoint.last_answer.source is Source.NETWORK
    assert api.count == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 502, "body": "<html>"},
        {"status": 303, "headers": {"Location": PATH}},
        {"status": 201, "body": "no gzip", "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=["500", "502", "redirect", "undecodable"],
)
def test_a_change_that_may_have_been_made(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, answer: dict[str, Any]
) -> None:
    """After a POST that failed behind the server, or whose answer is lost, lists are asked for."""
    ask(endpoint, "trackers")
    api.will_answer(answer)
    with pytest.raises((httpx.HTTPStatusError, httpx.DecodingError)):
        ask(endpoint, "trackers", None, {"name": "d"}, RequestMethod.POST)
    ask(endpoint, "trackers")
    assert [one["method"] for one in api.log] == ["GET", "POST", "GET"]


def test_a_clock_that_is_set_back(api: Api, make: Make, cache: JSONCache[Any]) -> None:
    """R2: what was kept under a clock years ahead is replaced by what the server says now."""
    endpoint = make(api, cache)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with time_machine.travel(noon + timedelta(days=2000)):
        endpoint.request("trackers")
    api.has({"id": 1, "name": "now"})
    with time_machine.travel(noon):
        assert endpoint.request("trackers", refresh=True) == [Tracker(1, "now")]
        assert endpoint.request("trackers") == [Tracker(1, "now")]
        assert endpoint.last_answer.source is Source.CACHE


def test_a_new_field_comes_from_the_server(api: Api, make: Make, tmp_path: Path) -> None:
    """R6: 304 does not extend what was kept without a field that the model has now."""

    @dataclass
    class Known:
        id: int

    with endpoint_class(api, Known)(JSONCache(tmp_path)) as endpoint:
        endpoint.request("trackers")

    @dataclass
    class Known:  # type: ignore[no-redef]
        id: int
        name: str = "unknown"

    with endpoint_class(api, Known)(JSONCache(tmp_path)) as endpoint:
        assert [one.name for one in endpoint.request("trackers")] == ["a", "b", "c"]
        assert endpoint.last_answer.source is Source.NETWORK


class Item(BaseModel, Generic[Id]):
    """A model that is told elsewhere what its ids are."""

    id: Id


@dataclass
class Either:
    """Ids that may be either."""

    id: int | str


@dataclass
class Perhaps:
    """Ids that may be missing in an answer, not in a URL."""

    id: int | None


@dataclass
class Real:
    """Ids that may be no numbers."""

    id: float


@pytest.mark.parametrize(
    ("model", "text", "ids"),
    [
        (Item[int], "7", [7]),
        (Item[str], "7", ["7"]),
        (Either, "7", ["7", 7]),
        (Either, "x", ["x"]),
        (Perhaps, "null", []),
        (Real, "nan", []),
        (Tracker, "9" * 5000, []),
    ],
)
def test_ids_in_a_url(model: type, text: str, ids: list[Any]) -> None:
    """A DELETE without an answer removes the record of its URL, of whatever type its id is."""
    assert identifiers(model, text) == ids


def test_a_fork_while_a_thread_keeps_an_answer(api: Api, make: Make, cache: JSONCache[Any]) -> None:
    """A child that was forked off while another thread held the cache's fence can ask, too."""
    endpoint = make(api, cache)
    endpoint.request("trackers")
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with fence_of(cache).lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if fence_of(cache).lock.acquire(timeout=5) else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_child_has_a_client_of_its_own(api: Api) -> None:
    """A child does not speak over its parent's connection, on which each would read the answers to
    the other's requests (R7); the parent's stays open, and a child's client is closed with it."""
    endpoint = endpoint_class(api)()
    client = endpoint.client
    child = os.fork()
    if not child:
        ours = endpoint.client
        endpoint.close()
        is_well = ours is not client and ours.is_closed and not client.is_closed
        del endpoint
        gc.collect()
        os._exit(0 if is_well and not client.is_closed else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert endpoint.client is client and not client.is_closed
    del endpoint
    gc.collect()
    assert client.is_closed
