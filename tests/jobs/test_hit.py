"""A hit costs one read of the cache, and nothing else."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache

from cacheback_app import Job, cacheback
from cacheback_app.engine.flights import Flights
from cacheback_app.engine.state.locmem import LocMemState
from tests.addresses import cache
from tests.jobs.support import CaptureQueue, Source, TaggedSource
from tests.services import RedisServer


class CountingCache(LocMemCache):
    """A backend that the engine does not know, and that counts what is asked of it."""

    counted: Counter[str] = Counter()


def _counting(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        CountingCache.counted[name] += 1
        return getattr(LocMemCache, name)(self, *args, **kwargs)

    return method


for _name in ("get", "get_many", "set", "set_many", "add", "delete", "touch", "has_key", "incr"):
    setattr(CountingCache, _name, _counting(_name))


@cacheback
def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def counted(settings: Any) -> Counter[str]:
    backend = f"{CountingCache.__module__}.{CountingCache.__qualname__}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "counting"}}
    CountingCache.counted.clear()
    return CountingCache.counted


READS = {
    "get": lambda job: job.get("x"),
    "aget": lambda job: asyncio.run(job.aget("x")),
    "raw_get": lambda job: job.raw_get("x"),
}


@pytest.mark.parametrize("read", READS)
def test_one_read_of_any_backend(read: str, counted: Counter[str], capture: CaptureQueue) -> None:
    """A hit is one ``get`` of the backend: no write, no dispatch, no fetch (J1)."""
    job = Source()
    job.get("x")
    counted.clear()
    READS[read](job)
    assert counted == {"get": 1}
    assert capture.sent == [] and len(job.at.calls) == 1


@pytest.mark.parametrize("read", ["get", "aget"])
def test_tags_are_read_with_the_value(read: str, counted: Counter[str]) -> None:
    """A hit of a tagged value is one ``get_many`` (J1)."""
    job = TaggedSource()
    job.get("x")
    counted.clear()
    READS[read](job)
    assert counted - Counter(get=10) == {"get_many": 1}
    assert sum(v for k, v in counted.items() if k not in ("get", "get_many")) == 0


def test_many_hits_are_one_read(counted: Counter[str], capture: CaptureQueue) -> None:
    """``get_many`` of what is fresh is one ``get_many`` of the backend (J1)."""
    job = Source()
    job.get_many([1, 2, 3])
    counted.clear()
    assert job.get_many([1, 2, 3]) == ["old"] * 3
    # LocMemCache's own get_many is a loop of get.
    assert counted.pop("get", 0) in (0, 3)
    assert counted == {"get_many": 1}


@pytest.mark.parametrize("early_refresh", [None, 1.0])
@pytest.mark.parametrize("jitter", [0, 0.5])
def test_options_add_nothing(
    early_refresh: float | None, jitter: float, counted: Counter[str], capture: CaptureQueue
) -> None:
    """Jitter and early refresh leave a hit at one read (J1)."""
    job = Source().using(early_refresh=early_refresh, jitter=jitter)
    job.set("x", data="old")
    counted.clear()
    job.get("x")
    assert counted == {"get": 1} and capture.sent == []


def test_no_lock_and_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hit joins no flight and runs no transaction (J1)."""
    job = Source()
    job.get("x")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a hit got this far")

    monkeypatch.setattr(LocMemState, "apply", refuse)
    monkeypatch.setattr(Flights, "join", refuse)
    assert job.get("x") == "old"
    assert asyncio.run(job.aget("x")) == "old"
    assert job.get_many(["x"]) == ["old"]


@pytest.mark.parametrize("backend", ["redis", "own", "django_redis"])
def test_one_command_of_redis(
    backend: str, shared_redis_server: RedisServer, settings: Any
) -> None:
    """On Redis, a hit is one GET, or one MGET with tags or many keys (J1)."""
    settings.CACHES = {"default": cache(backend, shared_redis_server.url())}
    plain, tagged = Source(), TaggedSource()
    for job in (plain, tagged):
        job.get_many(["x", "y"])
    for read, command in [
        (lambda: plain.get("x"), "GET"),
        (lambda: asyncio.run(plain.aget("x")), "GET"),
        (lambda: tagged.get("x"), "MGET"),
        (lambda: plain.get_many(["x", "y"]), "MGET"),
        (lambda: tagged.get_many(["x", "y"]), "MGET"),
    ]:
        with shared_redis_server.count_round_trips() as counted:
            read()
        assert counted == {command: 1}


def test_a_decorated_function(counted: Counter[str]) -> None:
    """A hit of a decorated function is one ``get`` as well (J1)."""
    assert double(2) == 4
    counted.clear()
    assert double(2) == 4
    assert counted == {"get": 1}


def test_local_ttl_reads_nothing(counted: Counter[str]) -> None:
    """Within ``local_ttl`` a hit does not even read the cache (J1, J17)."""
    job = Source().using(local_ttl=60)
    job.get("x")
    job.get("x")
    counted.clear()
    assert job.get("x") == "old"
    assert asyncio.run(job.aget("x")) == "old"
    assert counted == {}


def test_status_of_a_hit() -> None:
    """``process_result`` is told HIT, and that nothing was fetched (J1)."""

    class Told(Source):
        def process_result(
            self, result: Any, call: Any, cache_status: int, sync_fetch: bool | None = None
        ) -> Any:
            return result, tuple(call.args), cache_status, sync_fetch

    job = Told()
    assert job.get("x") == ("old", ("x",), Job.MISS, True)
    assert job.get("x") == ("old", ("x",), Job.HIT, None)
    assert asyncio.run(job.aget("x")) == ("old", ("x",), Job.HIT, None)
    assert job.get_many(["x", "y"]) == [
        ("old", ("x",), Job.HIT, None),
        ("old", ("y",), Job.MISS, True),
    ]
