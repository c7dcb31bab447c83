"""A remote API, and endpoints of it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint, JSONCache, RecordCache
from cacheback_app.records.last_answer import tell
from tests.records.endpoint.api import Api, endpoint_class

Make = Callable[..., CachedEndpoint[Any]]
Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def _session_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api") / "log")
    yield api
    api.close()


@pytest.fixture
def api(_session_api: Api) -> Api:
    """A running API as it is in the beginning; it outlives the test."""
    _session_api.reset()
    return _session_api


@pytest.fixture
def own_api(tmp_path: Path) -> Iterator[Api]:
    """An API of this test's own, to be killed and paused."""
    api = Api(tmp_path / "api.log")
    yield api
    api.close()


@pytest.fixture
def cache(tmp_path: Path) -> RecordCache[Any]:
    """An empty cache that keeps for ever."""
    return JSONCache(tmp_path / "cache")


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes endpoints that don't wait long before they try again."""
    made = []

    def make(api: Api, cache: RecordCache[Any] | None = None, *args: Any, **options: Any) -> Any:
        options = {"retry_delay": 0.001, "timeout": 10, **options}
        endpoint = endpoint_class(api)(cache, *args, **options)
        made.append(endpoint)
        return endpoint

    yield make
    for endpoint in made:
        endpoint.close()


@pytest.fixture
def endpoint(api: Api, cache: RecordCache[Any], make: Make) -> CachedEndpoint[Any]:
    """An endpoint of the API with an empty cache."""
    return make(api, cache)


@pytest.fixture(params=["sync", "async over a sync client", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """``request`` and ``arequest`` with either kind of client, one as the other."""
    if request.param == "sync":
        yield lambda endpoint, *args, **kwargs: endpoint.request(*args, **kwargs)
        return
    clients: dict[int, httpx.AsyncClient] = {}

    async def arequest(endpoint: CachedEndpoint[Any], *args: Any, **kwargs: Any) -> Any:
        if request.param == "async" and endpoint._client is None:
            endpoint._client = clients[id(endpoint)] = httpx.AsyncClient()
        return await endpoint.arequest(*args, **kwargs), endpoint.last_answer

    with asyncio.Runner() as runner:

        def ask(endpoint: CachedEndpoint[Any], *args: Any, **kwargs: Any) -> Any:
            value, last = runner.run(arequest(endpoint, *args, **kwargs))
            if last is not None:
                tell(endpoint, last)  # a task's context is its own
            return value

        yield ask
        for client in clients.values():
            runner.run(client.aclose())
