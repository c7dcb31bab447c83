"""What happens when the cache fails, or holds what is not ours."""

import asyncio
import pickle
import threading
import time
from collections import namedtuple
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from cacheback_app import Job, delete_tags, invalidate_tags, signals
from cacheback_app.engine.entry import MARK
from cacheback_app.engine.outages import log
from tests.addresses import cache
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    TaggedSource,
    in_threads,
    listening,
    slot_of,
    warnings_of,
)
from tests.jobs.test_miss import Gate
from tests.services import RedisServer, wait_until

CALLS = {
    "get": lambda job: job.get("x"),
    "get_many": lambda job: job.get_many(["x", "y"]),
    "refresh": lambda job: job.refresh("x"),
    "aget": lambda job: asyncio.run(job.aget("x")),
    "aget_many": lambda job: asyncio.run(job.aget_many(["x", "y"])),
    "arefresh": lambda job: asyncio.run(job.arefresh("x")),
}
WRITES = {
    "set": lambda job: job.set("x", data=1),
    "delete": lambda job: job.delete("x"),
    "invalidate": lambda job: job.invalidate("x"),
    "async_refresh": lambda job: job.async_refresh("x"),
    "raw_get": lambda job: job.raw_get("x"),
    "invalidate_tags": lambda job: invalidate_tags("all"),
    "delete_tags": lambda job: delete_tags("all"),
    "aset": lambda job: asyncio.run(job.aset("x", data=1)),
    "adelete": lambda job: asyncio.run(job.adelete("x")),
    "ainvalidate": lambda job: asyncio.run(job.ainvalidate("x")),
    "araw_get": lambda job: asyncio.run(job.araw_get("x")),
}


@pytest.fixture
def down(settings: Any) -> str:
    """An alias behind which there is nothing."""
    settings.CACHES = {
        "default": settings.CACHES["default"],
        "down": settings.CACHES["down"],
    }
    return "down"


@pytest.mark.parametrize("kind", [Source, TaggedSource])
@pytest.mark.parametrize("call", CALLS)
def test_every_read_answers(call: str, kind: type[Source], down: str) -> None:
    """Without a cache every read fetches and answers (J11)."""
    job = kind().using(cache_alias=down)
    answer = CALLS[call](job)
    assert answer == (["old", "old"] if "many" in call else "old")


@pytest.mark.parametrize("kind", [Source, TaggedSource])
@pytest.mark.parametrize("call", WRITES)
def test_every_write_is_dropped(call: str, kind: type[Source], down: str) -> None:
    """Without a cache every other call does nothing, and raises nothing (J11)."""
    assert WRITES[call](kind().using(cache_alias=down)) is None


def test_explain_says_miss(down: str) -> None:
    """Without a cache ``explain`` knows nothing, and says so (J11)."""
    explained = Source().using(cache_alias=down).explain("x")
    assert (explained.status, explained.age, explained.claimed_until) == (Job.MISS, None, None)


@pytest.mark.parametrize("call", [*CALLS, *(set(WRITES) - {"raw_get", "araw_get"})])
def test_errors_are_raised_when_they_are_not_to_be_ignored(
    call: str, down: str, settings: Any
) -> None:
    """With ``CACHEBACK_IGNORE_CACHE_ERRORS = False`` the backend's own error is raised (J11)."""
    from redis.exceptions import ConnectionError as RedisConnectionError

    settings.CACHEBACK_IGNORE_CACHE_ERRORS = False
    job = TaggedSource().using(cache_alias=down)
    with pytest.raises(RedisConnectionError):
        {**CALLS, **WRITES}[call](job)


def test_one_line_per_interval(down: str, caplog: pytest.LogCaptureFixture) -> None:
    """However many calls fail, one line is logged in 30 s, and every failure is signalled (J11)."""
    job = Source().using(cache_alias=down)
    with listening(signals.cache_failed) as failed:
        in_threads(20, job.get)
        job.set("x", data=1)
        job.delete("x")
    assert len(warnings_of(caplog)) == 1 and "down" in warnings_of(caplog)[0]
    assert len(failed) >= 22 and {f["alias"] for f in failed} == {"down"}


def test_the_interval_is_thirty_seconds(
    down: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 30 s another line is logged (J11)."""
    now = time.monotonic()
    ahead = 0.0
    monkeypatch.setattr(
        "cacheback_app.engine.outages.time",
        type("Time", (), {"monotonic": staticmethod(lambda: now + ahead)}),
    )
    log.reset()
    job = Source().using(cache_alias=down)
    for ahead, lines in [(0.0, 1), (29.0, 1), (31.0, 2), (60.0, 2), (62.0, 3)]:
        job.get("x")
        assert len(warnings_of(caplog)) == lines, ahead


def test_other_caches_are_another_matter(
    down: str, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """What a process remembers of its caches it forgets when they are replaced: outages that were
    logged (J11), and values under ``local_ttl`` (J17)."""
    job = Source().using(local_ttl=60)
    assert job.get("x") == "old"
    for lines in (1, 2):
        settings.CACHES = {
            "default": cache("locmem", f"another {lines}"),
            "down": settings.CACHES["down"],
        }
        job.at.value = lines
        assert job.get("x") == lines
        Source().using(cache_alias=down).get("x")
        assert len(warnings_of(caplog)) == lines


def test_single_flight_holds_without_a_cache(down: str) -> None:
    """Without a cache, callers at the same time share one fetch; sync and async (J11, J3)."""
    job = Source().using(cache_alias=down)
    gate = Gate(job)
    crowd = Background(lambda: in_threads(20, lambda _: job.get("x")))
    others = Background(lambda: asyncio.run(_gathered(job, 5)))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: (f := flights._flights.get(key)) and f.waiters == 24)
    gate.open.set()
    assert crowd.result() == ["old"] * 20 and others.result() == ["old"] * 5
    assert job.at.calls == ["x"]


async def _gathered(job: Job, count: int) -> list[Any]:
    return await asyncio.gather(*(job.aget("x") for _ in range(count)))


def test_failures_are_shared_without_a_cache(down: str) -> None:
    """A fetch that fails without a cache is one exception for all who wait (J11, J3)."""
    job = Source().using(cache_alias=down)
    job.at.value = error = ValueError("no")
    gate = Gate(job)
    crowd = Background(lambda: in_threads(5, lambda _: job.get("x")))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: (f := flights._flights.get(key)) and f.waiters == 4)
    gate.open.set()
    assert crowd.result() == [error] * 5 and job.at.calls == ["x"]


def test_nothing_is_dispatched_without_a_cache(down: str, capture: CaptureQueue) -> None:
    """Without a cache there are no claims, so no tasks either (J11, J2)."""
    job = Source().using(cache_alias=down, fetch_on_miss=False)
    assert in_threads(10, lambda _: job.get("x")) == [None] * 10
    assert capture.sent == []


def test_get_many_fetches_together_without_a_cache(down: str) -> None:
    """Without a cache, what is missing is one ``fetch_many`` (J11)."""

    class Many(Job):
        def fetch(self, number: int) -> int:
            raise AssertionError("one by one")

        def fetch_many(self, calls: Any) -> Any:
            return [call.args[0] for call in calls]

    assert Many().using(cache_alias=down).get_many([1, 2, 1]) == [1, 2, 1]


@pytest.mark.parametrize("backend", ["redis", "own", "django_redis"])
def test_redis_killed_and_restarted_under_load(
    backend: str,
    redis_server: RedisServer,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While Redis is killed and comes back, every ``get`` answers, one line is logged, and
    afterwards values are cached again (J11)."""
    settings.CACHES = {"default": cache(backend, redis_server.url())}
    job = TaggedSource().using(lifetime=0.05, fetch_on_stale_threshold=0.1)
    stop = threading.Event()
    began = threading.Barrier(9)

    def load(index: int) -> int:
        count = 0
        while not stop.is_set():
            assert job.get(index % 3) == "old"
            count += 1
            if count == 3:
                began.wait(10)
        return count

    crowd = Background(lambda: in_threads(8, load))
    began.wait(10)
    for _ in range(2):
        redis_server.stop()
        time.sleep(0.1)
        redis_server.start()
        time.sleep(0.1)
    stop.set()
    counts = crowd.result()
    assert all(isinstance(count, int) and count > 3 for count in counts), counts
    assert len(warnings_of(caplog)) == 1
    calls = len(job.at.calls)
    kept = TaggedSource()
    assert kept.get("after") == "old" and kept.get("after") == "old"
    assert kept.at.calls == ["after"]
    assert len(job.at.calls) == calls


def test_redis_that_hangs(redis_server: RedisServer, settings: Any, capture: CaptureQueue) -> None:
    """A Redis that is frozen costs our backend its timeouts, and ``get`` answers (J11)."""
    settings.CACHES = {"default": cache("own", redis_server.url(), OPTIONS={"socket_timeout": 0.2})}
    job = Source()
    job.get("x")
    redis_server.pause()
    began = time.monotonic()
    assert job.get("x") == "old"
    assert time.monotonic() - began < 2
    redis_server.resume()
    assert job.get("y") == "old"


def test_the_cache_dies_during_a_fetch(redis_server: RedisServer, settings: Any) -> None:
    """A fetch whose value cannot be stored any more answers all the same (J11)."""
    settings.CACHES = {"default": cache("own", redis_server.url())}
    job = Source()
    job.at.before = redis_server.stop
    assert job.get("x") == "old"
    job.at.before = lambda: None
    redis_server.start()
    assert job.get("x") == "old" and job.get("x") == "old"
    assert job.at.calls == ["x", "x"]


def test_the_cache_dies_before_a_failure(redis_server: RedisServer, settings: Any) -> None:
    """A fetch that fails while the cache dies raises its own exception (J11, J7)."""
    settings.CACHES = {"default": cache("own", redis_server.url())}
    job = Source()
    job.at.before = redis_server.stop
    job.at.value = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        job.get("x")


# What is not ours


class Hostile:
    """Compares with nothing, has no truth value and no length."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("don't compare me")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("don't ask me")

    def __len__(self) -> int:
        raise ValueError("don't count me")


class Raises:
    """Raises something when it is unpickled."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return _raise, (self.error,)


class OwnError(Exception):
    pass


def _raise(error: type[BaseException]) -> None:
    raise error


Five = namedtuple("Five", "mark fresh_until value fetched_at duration")

FUTURE = 4e9
FOREIGN: dict[str, Any] = {
    "text": "a value of somebody else's",
    "number": 5,
    "dict": {"cacheback/1": 1},
    "empty tuple": (),
    "tuple of one": (MARK,),
    "tuple of four": (MARK, FUTURE, "v", FUTURE),
    "tuple of six": (MARK, FUTURE, "v", 1.0, 0.0, None),
    "tuple of eight": (MARK, FUTURE, "v", 1.0, 0.0, None, None, None),
    "another mark": ("cacheback/0", FUTURE, "v", FUTURE, 0.0),
    "no mark": (None, FUTURE, "v", FUTURE, 0.0),
    "the ancestor's": (FUTURE, "v"),
    "freshness is text": (MARK, "4e9", "v", FUTURE, 0.0),
    "freshness is None": (MARK, None, "v", FUTURE, 0.0),
    "freshness is an int": (MARK, 4000000000, "v", FUTURE, 0.0),
    "freshness is True": (MARK, True, "v", FUTURE, 0.0),
    "fetched_at is text": (MARK, 1.0, "v", "yesterday", 0.0),
    "duration is None": (MARK, 1.0, "v", FUTURE, None),
    "tags are a list": (MARK, FUTURE, "v", FUTURE, 0.0, ["t"], None),
    "tags are numbers": (MARK, FUTURE, "v", FUTURE, 0.0, {"t": 1}, None),
    "invalidated_at is text": (MARK, 1.0, "v", FUTURE, 0.0, None, "now"),
    "invalidated_at is empty text": (MARK, 1.0, "v", FUTURE, 0.0, None, ""),
    "invalidated_at is a list": (MARK, 1.0, "v", FUTURE, 0.0, None, []),
    "hostile": Hostile(),
    "hostile mark": (Hostile(), FUTURE, "v", FUTURE, 0.0),
    "hostile freshness": (MARK, Hostile(), "v", FUTURE, 0.0),
    "hostile tags": (MARK, FUTURE, "v", FUTURE, 0.0, Hostile(), None),
    "hostile invalidated_at": (MARK, FUTURE, "v", FUTURE, 0.0, None, Hostile()),
    "list of hostiles": [Hostile()] * 5,
}
for _error in (
    ValueError,
    KeyError,
    AttributeError,
    ImportError,
    RuntimeError,
    RecursionError,
    NotImplementedError,
    OwnError,
):
    FOREIGN[f"raises {_error.__name__}"] = Raises(_error)


@pytest.mark.parametrize(("kind", "fetch_on_miss"), [(Source, True), (TaggedSource, False)])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_a_miss(
    what: str,
    kind: type[Source],
    fetch_on_miss: bool,
    alias: str,
    capture: CaptureQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever lies under a job's key, it is a miss, without a warning; one fetch replaces it
    (J11)."""
    job = kind().using(cache_alias=alias, fetch_on_miss=fetch_on_miss)
    key = job.key("x")
    caches[alias].set(key, FOREIGN[what])
    assert job.raw_get("x") is None
    assert job.explain("x").status == Job.MISS
    assert job.get("x") == ("old" if fetch_on_miss else None)
    capture.run_all()
    raw = job.raw_get("x")
    assert raw is not None and raw[1] == "old"
    assert job.get_many(["x"]) == ["old"]
    assert job.at.calls == ["x"]
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("call", ["get_many", "aget", "refresh", "set", "delete", "invalidate"])
@pytest.mark.parametrize("what", ["hostile", "raises RuntimeError", "raises KeyError", "text"])
def test_no_call_trips_over_what_is_not_ours(
    what: str, call: str, alias: str, capture: CaptureQueue
) -> None:
    """No method of a job raises because of a foreign value (J11)."""
    job = Source().using(cache_alias=alias)
    caches[alias].set(job.key("x"), FOREIGN[what])
    {**CALLS, **WRITES}[call](job)
    caches[alias].set(job.key("x") + ":claim", FOREIGN[what])
    assert job.get("x") in ("old", 1)


@pytest.mark.parametrize("beside", ["claim", "lease", "error"])
@pytest.mark.parametrize("what", ["text", "hostile", "raises RuntimeError", "tuple of one"])
def test_foreign_values_beside_the_entry(
    what: str, beside: str, alias: str, capture: CaptureQueue
) -> None:
    """What is neither claim nor lease nor error protects nobody and breaks nothing (J11)."""
    job = Source().using(cache_alias=alias, wait_timeout=2)
    caches[alias].set(f"{job.key('x')}:{beside}", FOREIGN[what])
    assert job.get("x") == "old"
    assert job.explain("x").status == Job.HIT
    assert job.at.calls == ["x"]


@pytest.mark.parametrize("bytes_", [b"", b"\x80", b"\x80\x05garbage.", b"{", b"\xff\xfe", b"12x"])
@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis"])
def test_bytes_that_nobody_wrote(bytes_: bytes, alias_name: str, redis_url: str) -> None:
    """Bytes that the backend cannot decode are a miss, and replaced (J11)."""
    from redis import Redis

    job = Source().using(cache_alias=alias_name)
    with Redis.from_url(redis_url) as client:
        client.set(caches[alias_name].make_key(job.key("x")), bytes_)
    assert job.get("x") == "old" and job.get("x") == "old"
    assert job.at.calls == ["x"]


def test_an_undecodable_neighbour(alias: str, capture: CaptureQueue) -> None:
    """One entry that cannot be decoded is one miss of ``get_many``, not of all (J11)."""
    job = Source().using(cache_alias=alias, fetch_on_miss=False)
    job.set(1, data="one")
    job.set(3, data="three")
    for what in ("raises KeyError", "raises RuntimeError"):
        caches[alias].set(job.key(2), FOREIGN[what])
        capture.sent.clear()
        caches[alias].delete(job.key(2) + ":claim")
        assert job.get_many([1, 2, 3]) == ["one", None, "three"], what
        assert len(capture.sent) == 1


def test_an_entry_whose_job_cannot_read_it() -> None:
    """An entry that makes the job's own decoding raise is a miss that is replaced (J11)."""

    class Fussy(Source):
        def _from_cache(self, stored: Any) -> Any:
            if stored == "bad":
                raise RuntimeError("cannot read this")
            return stored

    for read in (lambda j: j.get("x"), lambda j: asyncio.run(j.aget("x"))):
        job = Fussy()
        job.at.value = "bad"
        job.delete("x")
        job.get("x")
        job.at.value = "good"
        assert read(job) == "good"
        assert read(job) == "good"
        assert len(job.at.calls) == 2


def test_a_cache_that_is_not_configured_is_no_outage() -> None:
    """An alias that does not exist is an error of the site's, not an outage (J11)."""
    from django.core.cache import InvalidCacheBackendError

    with pytest.raises(InvalidCacheBackendError):
        Source().using(cache_alias="nowhere").get("x")


class Flaky(LocMemCache):
    """Fails when told to, as memcached or a database would."""

    failing: set[str] = set()

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._or_fail("get", key, default, version)

    def get_many(self, keys: Any, version: Any = None) -> Any:
        return self._or_fail("get_many", keys, version)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_fail("set", *args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_fail("add", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._or_fail("delete", *args, **kwargs)

    def _or_fail(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.failing:
            raise ConnectionError(name)
        return getattr(super(), name)(*args, **kwargs)


@pytest.mark.parametrize("fails", ["get", "get_many", "set", "add", "delete"])
@pytest.mark.parametrize("call", [*CALLS, *WRITES])
def test_every_single_operation_may_fail(call: str, fails: str, settings: Any) -> None:
    """Whichever operation of the backend fails, no call raises (J11)."""
    backend = f"{Flaky.__module__}.{Flaky.__qualname__}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "flaky"}}
    Flaky.failing = set()
    job = TaggedSource()
    job.get("y")
    Flaky.failing = {fails}
    try:
        answer = {**CALLS, **WRITES}[call](job)
        if call in CALLS:
            assert answer == (["old", "old"] if "many" in call else "old")
    finally:
        Flaky.failing = set()


class BulkSource(Source):
    """As :class:`Source`, with a bulk fetch."""

    def fetch_many(self, calls: Any) -> list[Any]:
        return [self.fetch(*call.args) for call in calls]


@pytest.mark.parametrize("verify", [True, False, None])
@pytest.mark.parametrize(
    "write",
    [
        lambda job: job.set("x", data=1),
        lambda job: job.get("x"),
        lambda job: job.refresh("x"),
        lambda job: job.get_many(["x", "y"]),
        lambda job: asyncio.run(job.aget("x")),
    ],
    ids=["set", "get", "refresh", "get_many", "aget"],
)
@pytest.mark.parametrize("kind", [Source, BulkSource])
def test_lost_writes_are_told(kind: Any, write: Any, verify: bool | None, settings: Any) -> None:
    """With ``CACHEBACK_VERIFY_CACHE_WRITE`` a write that got lost is a ``RuntimeError`` for whoever
    made it, and without it is not (settings)."""
    settings.CACHEBACK_VERIFY_CACHE_WRITE = verify
    job = kind().using(cache_alias="dummy")
    if verify:
        with pytest.raises(RuntimeError, match="Unable to save"):
            write(job)
    else:
        write(job)
    other = Source()
    other.set("x", data=1)
    assert other.get("x") == 1


class Swallowing(LocMemCache):
    """As memcached with ``ignore_exc``: when it is down it takes nothing, and says so."""

    is_down = False

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return default if self.is_down else super().get(key, default, version)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return False if self.is_down else super().add(*args, **kwargs)


def test_a_retry_ends_where_errors_are_swallowed(
    capture: CaptureQueue, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that tries again finds a cache which takes no claim and shows none, and gives up
    rather than ask for ever (J8, J11)."""
    backend = f"{__name__}.{Swallowing.__qualname__}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "swallowing"}}
    job = Source()
    job.async_refresh("x")
    monkeypatch.setattr(Swallowing, "is_down", True)
    [call] = capture.sent
    assert Background(lambda: call.run(is_retry=True)).result() is False
    assert job.at.calls == []


def test_pickle_is_what_we_think() -> None:
    """The hostile objects of this module do what they say."""
    with pytest.raises(RuntimeError):
        pickle.loads(pickle.dumps(Raises(RuntimeError)))
    with pytest.raises(ValueError, match="compare"):
        assert Hostile() == 1
