"""A server that goes away leaves the endpoint answering from its cache, and says so."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint, JSONCache, Source
from cacheback_app.records.outages import Outages
from tests.records.endpoint.api import Api, Tracker
from tests.records.endpoint.conftest import Ask, Make

ALL = [Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")]
START = 1_000_000_000.0


@pytest.fixture
def later(time_machine: Any) -> Iterator[Any]:
    """Moves the clock by some seconds; monotonic time goes on as it does."""
    now = [START]

    def later(seconds: float) -> None:
        now[0] += seconds
        time_machine.move_to(now[0], tick=False)

    later(0)
    return later


@pytest.fixture
def cache(tmp_path: Any) -> JSONCache[Any]:
    """A cache that keeps for a minute."""
    return JSONCache(tmp_path / "cache", timedelta(minutes=1))


def test_a_server_that_is_killed(
    own_api: Api,
    make: Make,
    cache: Any,
    ask: Ask,
    later: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fresh answers need no server, expired ones are given without it; a new server is asked."""
    endpoint = make(own_api, cache, error_backoff=0)
    ask(endpoint, "trackers")
    fetched_at = endpoint.last_answer.fetched_at
    own_api.kill()
    assert ask(endpoint, "trackers") == ALL
    assert endpoint.last_answer.source is Source.CACHE
    later(61)
    assert ask(endpoint, "trackers") == ALL
    told = endpoint.last_answer
    assert (told.source, told.fetched_at) == (Source.STALE, fetched_at)
    assert isinstance(told.error, httpx.ConnectError)
    assert endpoint.load_cache() == []
    own_api.start()
    assert ask(endpoint, "trackers") == ALL
    assert endpoint.last_answer.source is Source.NOT_MODIFIED
    assert endpoint.last_answer.error is None
    assert endpoint.load_cache() == ALL
    (line,) = [one for one in caplog.records if one.name == "cacheback"]
    assert line.levelno == logging.WARNING
    told = (
        "The server of TrackerEndpoint fails (ConnectError); what it answered before, if anything,"
    )
    assert told in line.getMessage()


def test_nothing_to_serve(own_api: Api, make: Make, cache: Any, ask: Ask) -> None:
    """What was never answered is an error while the server is away."""
    endpoint = make(own_api, cache)
    ask(endpoint, "trackers")
    own_api.kill()
    with pytest.raises(httpx.ConnectError):
        ask(endpoint, "trackers/1")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_fails(api: Api, make: Make, cache: Any, later: Any, status: int) -> None:
    """Its failures are as good as its absence, and who can be served waits for one try only."""
    endpoint = make(api, cache)
    endpoint.request("trackers")
    later(61)
    api.will_answer({"status": status})
    assert endpoint.request("trackers") == ALL
    assert endpoint.last_answer
    assert endpoint.last_answer.source is Source.STALE
    assert isinstance(endpoint.last_answer.error, httpx.HTTPStatusError)
    assert api.count == 2


def test_refresh_is_patient(api: Api, make: Make, cache: Any) -> None:
    """R6: who insists on the server has its request repeated, and gets what there is at last."""
    endpoint = make(api, cache, retries=2)
    endpoint.request("trackers")
    api.will_answer(*[{"status": 500}] * 2)
    endpoint.request("trackers", refresh=True)
    assert endpoint.last_answer
    assert endpoint.last_answer.source is Source.NOT_MODIFIED
    assert api.count == 4
    api.will_answer(*[{"status": 500}] * 3)
    assert endpoint.request("trackers", refresh=True) == ALL
    assert endpoint.last_answer.source is Source.STALE
    assert api.count == 7


def test_a_server_that_failed_is_left_alone(api: Api, make: Make, cache: Any, later: Any) -> None:
    """During ``error_backoff`` expired answers are given at once; ``refresh`` ends it."""
    endpoint = make(api, cache, error_backoff=3600)
    lists = ["trackers", "trackers?page=1"]
    for each in lists:
        endpoint.request(each)
    later(61)
    api.will_answer({"status": 503})
    for each in [*lists, *lists]:
        endpoint.request(each)
        assert endpoint.last_answer
        assert endpoint.last_answer.source is Source.STALE
        assert isinstance(endpoint.last_answer.error, httpx.HTTPStatusError)
    assert api.count == 3
    endpoint.request(lists[0], refresh=True)
    endpoint.request(lists[1])
    assert endpoint.last_answer.source is Source.NOT_MODIFIED


def test_one_broken_page_does_not_hold_up_the_others(
    api: Api, make: Make, cache: Any, later: Any
) -> None:
    """A 500 is about one request: others are still asked for."""
    endpoint = make(api, cache, error_backoff=3600)
    endpoint.request("trackers")
    endpoint.request("trackers/1")
    later(61)
    api.will_answer({"status": 500})
    for path, known in [("trackers", Source.STALE), ("trackers/1", Source.NOT_MODIFIED)]:
        endpoint.request(path)
        assert endpoint.last_answer
        assert endpoint.last_answer.source is known


def test_how_long_a_server_is_left_alone(
    api: Api, make: Make, cache: Any, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``Retry-After`` prolongs the backoff, up to an hour."""
    endpoint = make(api, cache, error_backoff=10)
    endpoint.request("trackers")
    later(61)
    begun = []
    monkeypatch.setattr(endpoint.outages, "begin", lambda *args: begun.append(args[2]))
    for value in ["5", "60", "1000000"]:
        api.will_answer({"status": 429, "headers": {"Retry-After": value}})
        endpoint.request("trackers")
    assert begun == [10, 60, 3600]


def test_outages_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage ends with its time or with a success, and is forgotten."""
    now = [0.0]
    monkeypatch.setattr("cacheback_app.records.outages.time.monotonic", lambda: now[0])
    outages, error = Outages(), ValueError("x")
    outages.begin("a", error, 10)
    outages.begin("b", error, 20)
    assert outages.error(None, "a") is error
    now[0] = 10
    assert outages.error("a") is None
    outages.end("b", "c")
    assert outages.error("b") is None
    outages.begin("c", error, 1)
    assert list(outages._outages) == ["c"]


def test_stale_answers_can_be_refused(api: Api, make: Make, cache: Any, later: Any) -> None:
    """With ``stale_if_error=False`` the failure reaches the caller, after all repetitions."""
    endpoint = make(api, cache, stale_if_error=False, retries=1)
    endpoint.request("trackers")
    later(61)
    for count in (3, 5):
        api.will_answer(*[{"status": 500}] * 2)
        with pytest.raises(httpx.HTTPStatusError):
            endpoint.request("trackers")
        assert api.count == count


def test_a_refusal_is_no_outage(api: Api, make: Make, cache: Any, later: Any) -> None:
    """404 is an answer: what has expired is not given in its place."""
    endpoint = make(api, cache)
    endpoint.request("trackers/1")
    later(61)
    api.has()
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        endpoint.request("trackers/1")


def test_the_server_dies_under_its_readers(own_api: Api, make: Make, cache: Any) -> None:
    """Threads that read while the server is killed all get an answer, every time."""
    endpoint: CachedEndpoint[Any] = make(own_api, cache, error_backoff=0, retries=0)
    endpoint.request("trackers")
    stop, started = threading.Event(), threading.Barrier(9)
    found: list[Any] = []
    sources: set[Source] = set()

    def read() -> None:
        started.wait()
        while not stop.is_set():
            found.append(endpoint.request("trackers", refresh=True))
            assert endpoint.last_answer
            sources.add(endpoint.last_answer.source)

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    started.wait()
    own_api.wait_for(20)
    own_api.kill()
    count = len(found)
    while len(found) < count + 20 and any(reader.is_alive() for reader in readers):
        pass
    stop.set()
    for reader in readers:
        reader.join()
    assert all(one == ALL for one in found)
    assert len(found) >= count + 20
    assert sources == {Source.NOT_MODIFIED, Source.STALE}


def test_each_task_has_its_last_answer(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """``last_answer`` is that of the thread or task that asks, and of that endpoint."""
    assert endpoint.last_answer is None
    endpoint.request("trackers")

    async def cached() -> Any:
        await endpoint.arequest("trackers")
        return endpoint.last_answer

    async def both() -> Any:
        first = await asyncio.create_task(cached())
        return first, endpoint.last_answer

    in_task, outside = asyncio.run(both())
    assert in_task.source is Source.CACHE
    assert outside.source is Source.NETWORK
    seen = []
    thread = threading.Thread(target=lambda: seen.append(endpoint.last_answer))
    thread.start()
    thread.join()
    assert seen == [None]
