"""Callers of one missing answer share one request."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from cacheback_app.engine.flights import flights
from cacheback_app.records import CachedEndpoint, InvalidResponse, JSONCache, SqliteCache
from tests.records.endpoint.api import PATH, Api, Tracker, endpoint_class
from tests.records.endpoint.conftest import Make
from tests.services import wait_until

A = Tracker(1, "a")


def waiters() -> int:
    """Return how many callers wait for others."""
    return sum(flight.waiters for flight in list(flights._flights.values()))


def together(api: Api, endpoints: list[CachedEndpoint[Any]]) -> list[Any]:
    """Have each endpoint asked in a thread; open the gate when all but one wait for that one."""
    with ThreadPoolExecutor(len(endpoints)) as pool:
        calls = [pool.submit(one.request, "trackers/1") for one in endpoints]
        try:
            wait_until(lambda: waiters() == len(endpoints) - 1, what="all others to wait")
        finally:
            api.open("gate")
    return [call.exception() or call.result() for call in calls]


def test_threads_share_a_request(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """Twenty threads make one request, and each gets a record of its own."""
    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    found = together(api, [endpoint] * 20)
    assert found == [A] * 20
    assert len({id(one) for one in found}) == 20
    assert api.count == 1


def test_endpoints_on_one_cache_share_a_request(api: Api, make: Make, tmp_path: Any) -> None:
    """An endpoint made for each web request shares flights with all on the same file."""
    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    endpoints = [make(api, JSONCache(tmp_path / "cache")) for _ in range(5)]
    assert together(api, endpoints) == [A] * 5
    assert api.count == 1


def test_caches_do_not_share(api: Api, make: Make, tmp_path: Any) -> None:
    """Endpoints on two files may be two users': each asks for itself."""
    endpoints = [make(api, JSONCache(tmp_path / name)) for name in "ab"]
    assert [one.request("trackers/1") for one in endpoints] == [A] * 2
    assert api.count == 2


def test_models_in_one_file_fly_apart(api: Api, make: Make, tmp_path: Any) -> None:
    """Two models of one URL and one SQLite file: each caller gets its own."""

    @dataclass
    class Label:
        id: int
        name: str

    trackers = make(api, SqliteCache(tmp_path / "cache"))
    labels = endpoint_class(api, Label)(SqliteCache(tmp_path / "cache"))
    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(trackers.request, "trackers/1")
        try:
            api.wait_for(1)
            assert labels.request("trackers/1") == Label(1, "a")
        finally:
            api.open("gate")
        assert call.result() == A
    assert labels.request("trackers/1") == Label(1, "a")
    assert api.count == 2
    labels.close()


def test_tasks_share_a_request(api: Api, make: Make, cache: Any) -> None:
    """Twenty tasks of an event loop make one request over an ``AsyncClient``."""

    async def ask() -> list[Any]:
        async with httpx.AsyncClient() as client:
            endpoint = make(api, cache, client)
            tasks = [asyncio.create_task(endpoint.arequest("trackers/1")) for _ in range(20)]
            while waiters() < 19:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(api.open, "gate")
            return await asyncio.gather(*tasks)

    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    assert asyncio.run(ask()) == [A] * 20
    assert api.count == 1


def test_a_thread_waits_for_a_task(api: Api, make: Make, cache: Any) -> None:
    """Sync and async callers share one flight."""

    async def ask() -> list[Any]:
        endpoint = make(api, cache)
        task = asyncio.create_task(endpoint.arequest("trackers/1"))
        while not len(flights):
            await asyncio.sleep(0.001)
        thread = asyncio.create_task(asyncio.to_thread(endpoint.request, "trackers/1"))
        while waiters() < 1:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(api.open, "gate")
        return [await task, await thread]

    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    assert asyncio.run(ask()) == [A] * 2
    assert api.count == 1


def test_a_cancelled_task_hands_over(api: Api, make: Make, cache: Any) -> None:
    """When the task that asks is cancelled, one of those who wait asks instead."""

    async def ask() -> Any:
        async with httpx.AsyncClient() as client:
            endpoint = make(api, cache, client)
            first = asyncio.create_task(endpoint.arequest("trackers/1"))
            while not len(flights):
                await asyncio.sleep(0.001)
            second = asyncio.create_task(endpoint.arequest("trackers/1"))
            while waiters() < 1:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(api.wait_for, 1)
            first.cancel()
            return await second

    api.will_answer({"gate": "never"}, path=f"{PATH}/1")
    assert asyncio.run(ask()) == A
    assert api.count == 2
    api.open("never")


@pytest.mark.parametrize(
    ("answer", "error"),
    [({"status": 404}, httpx.HTTPStatusError), ({"body": "{"}, InvalidResponse)],
)
def test_an_error_is_shared(
    api: Api, endpoint: CachedEndpoint[Any], answer: Any, error: type[Exception]
) -> None:
    """What the one who asked gets is what all get who waited; the next asks again."""
    api.will_answer({"gate": "gate", **answer}, path=f"{PATH}/1")
    assert [type(one) for one in together(api, [endpoint] * 5)] == [error] * 5
    assert endpoint.request("trackers/1") == A
    assert api.count == 2


def test_an_outage_is_shared(api: Api, make: Make, tmp_path: Any, time_machine: Any) -> None:
    """One asks the server that fails; those who waited get the expired answer without asking."""
    endpoint = make(api, JSONCache(tmp_path / "cache", 60))
    time_machine.move_to(1_000_000_000.0, tick=False)
    endpoint.request("trackers/1")
    time_machine.move_to(1_000_000_061.0, tick=False)
    api.will_answer({"gate": "gate", "status": 503}, path=f"{PATH}/1")
    assert together(api, [endpoint] * 5) == [A] * 5
    assert api.count == 2


def test_different_requests_fly_apart(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """R7: who asks for something else does not wait."""
    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    slow = threading.Thread(target=lambda: endpoint.request("trackers/1"))
    slow.start()
    api.wait_for(1)
    assert endpoint.request("trackers/2") == Tracker(2, "b")
    api.open("gate")
    slow.join()


def test_refresh_does_not_join(api: Api, endpoint: CachedEndpoint[Any]) -> None:
    """``refresh`` means from now on: an answer that was under way before may be too old."""
    api.will_answer({"gate": "gate", "body": {"id": 1, "name": "old"}}, path=f"{PATH}/1")
    slow = threading.Thread(target=lambda: endpoint.request("trackers/1"))
    slow.start()
    api.wait_for(1)
    assert endpoint.request("trackers/1", refresh=True) == A
    api.open("gate")
    slow.join()
    assert endpoint.request("trackers/1") == A  # the older answer, which came later, is not kept
