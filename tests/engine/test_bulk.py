"""``get_many``: one read, one fetch."""

import asyncio
import threading
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Call, Job, cacheback, signals
from cacheback_app.engine import bulk, reading
from cacheback_app.engine.flights import flights
from cacheback_app.engine.flow import Fetch
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Steps,
    Upstream,
    elsewhere,
    listening,
    make_stale,
    slot_of,
)
from tests.services import RedisServer, wait_until


class Many(Job):
    """Fetches several numbers at once, and remembers which."""

    def __init__(self) -> None:
        self.at = Upstream()

    def fetch(self, number: Any, times: int = 2) -> Any:
        self.at.calls.append(number)
        return number * times

    def fetch_many(self, calls: Any) -> Any:
        self.at.before()
        self.at.calls.append([tuple(call.args) for call in calls])
        if isinstance(self.at.value, BaseException):
            raise self.at.value
        return [_times(*call.args, **call.kwargs) for call in calls]


def _times(number: Any, times: int = 2) -> Any:
    return number * times


class AsyncMany(Many):
    async def fetch_many(self, calls: Any) -> Any:
        await asyncio.sleep(0)
        return super().fetch_many(calls)


@cacheback
def triple(number: int) -> int:
    return 3 * number


KINDS = [Many, AsyncMany]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["get_many", "aget_many"])
def test_one_fetch_in_order(kind: type[Many], call: str, alias: str) -> None:
    """What is missing is one ``fetch_many``, and the values come in order, duplicates too."""
    job = kind().using(cache_alias=alias)

    def get(calls: Any) -> Any:
        return job.get_many(calls) if call == "get_many" else asyncio.run(job.aget_many(calls))

    assert get([3, 1, 2, 1, 3]) == [6, 2, 4, 2, 6]
    assert job.at.calls == [[(3,), (1,), (2,)]]
    assert get([5, 1, 4, 3]) == [10, 2, 8, 6]
    assert job.at.calls[1:] == [[(5,), (4,)]]
    assert get([1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
    assert len(job.at.calls) == 2


def test_forms_of_a_call() -> None:
    """A call is a tuple of arguments, a ``Call``, or a single argument that is neither."""
    job = Many()
    calls = [(1,), (1, 3), Call((1,), {"times": 4}), Call((1, 5)), 1, "ab", [7]]
    assert job.get_many(calls) == [2, 3, 4, 5, 2, "abab", [7, 7]]
    assert job.get_many(iter([1, 2])) == [2, 4]
    assert job.get_many([]) == []
    assert asyncio.run(job.aget_many([])) == []
    assert job.get(1) == 2 and job.get(1, times=4) == 4


def test_default_is_one_fetch_each() -> None:
    """Without a ``fetch_many`` of its own a job fetches one by one."""

    class Plain(Job):
        calls: list[int] = []

        def fetch(self, number: int) -> int:
            self.calls.append(number)
            return number

    assert Plain().get_many([1, 2, 1]) == [1, 2, 1]
    assert Plain.calls == [1, 2]


def test_a_decorated_function() -> None:
    """A decorated function has ``get_many``, with its own arguments."""
    assert triple.get_many([1, (2,), Call((), {"number": 3})]) == [3, 6, 9]
    assert triple.raw_get(3)[1] == 9  # type: ignore[index]


@pytest.mark.parametrize("backend", ["own", "redis", "django_redis"])
def test_round_trips(backend: str, shared_redis_server: RedisServer, settings: Any) -> None:
    """Ten values that are missing are read with one MGET."""
    from tests.addresses import cache

    settings.CACHES = {"default": cache(backend, shared_redis_server.url())}
    job = Many()
    job.get_many([99, 98])
    with shared_redis_server.count_round_trips() as counted:
        job.get_many(range(10))
    assert counted["MGET"] == 1 and counted["GET"] == 0
    with shared_redis_server.count_round_trips() as counted:
        job.get_many(range(10))
    assert counted == {"MGET": 1}


def test_stale_values_are_served(capture: CaptureQueue, alias: str) -> None:
    """Stale values are served, each with one refresh; only what is missing is fetched (J2)."""
    job = Many().using(cache_alias=alias)
    job.get_many([1, 2])
    make_stale(job, 1)
    job.at.calls.clear()
    with listening(signals.cache_read) as read:
        assert job.get_many([1, 2, 3]) == [2, 4, 6]
    assert job.at.calls == [[(3,)]]
    assert len(capture.sent) == 1 and capture.sent[0].key == job.key(1)
    assert sorted(r["status"] for r in read) == [Job.MISS, Job.HIT, Job.STALE]


def test_an_exception(alias: str) -> None:
    """An exception of ``fetch_many`` reaches the caller, and no claim is left (J7)."""
    job = Many().using(cache_alias=alias)
    job.at.value = error = ValueError("no")
    with listening(signals.refresh_failed) as failed, pytest.raises(ValueError) as caught:  # noqa: PT011
        job.get_many([1, 2])
    assert caught.value is error and failed
    assert [job.explain(n).claimed_until for n in (1, 2)] == [None, None]
    job.at.value = None
    assert job.get_many([1, 2]) == [2, 4]


@pytest.mark.parametrize("answer", [[], [1], [1, 2, 3], None, 5, {1: 2}], ids=repr)
def test_a_wrong_number_of_values(answer: Any) -> None:
    """A ``fetch_many`` that gives too few or too many is an error, and nothing is stored."""

    class Wrong(Many):
        def fetch_many(self, calls: Any) -> Any:
            return answer

    job = Wrong()
    with pytest.raises((ValueError, TypeError)):
        job.get_many([1, 2])
    assert job.raw_get(1) is None and job.explain(1).claimed_until is None


def test_a_generator_of_values() -> None:
    """``fetch_many`` may be a generator."""

    class Lazy(Many):
        def fetch_many(self, calls: Any) -> Any:
            for call in calls:
                yield call.args[0] + 1

    assert Lazy().get_many([1, 2]) == [2, 3]
    assert asyncio.run(Lazy().aget_many([3, 4])) == [4, 5]


def test_a_generator_runs_where_fetches_do() -> None:
    """A ``fetch_many`` that is a generator does not run in the event loop either (J18)."""
    ran_in: list[int] = []

    class Lazy(Many):
        def fetch_many(self, calls: Any) -> Any:
            ran_in.append(threading.get_ident())
            yield from range(len(calls))

    async def ask() -> tuple[Any, int]:
        return await Lazy().aget_many([1, 2]), threading.get_ident()

    values, loop_thread = asyncio.run(ask())
    assert values == [0, 1] and ran_in != [loop_thread]


def test_an_exception_before_anything_is_fetched() -> None:
    """When a hook raises for one of several calls, nobody waits for the others for ever (J3)."""

    class Hooked(Many):
        def should_missing_item_be_fetched_synchronously(self, number: Any) -> bool:
            return bool(1 / number)

    job = Hooked()
    with pytest.raises(ZeroDivisionError):
        job.get_many([1, 0])
    assert len(flights) == 0


def test_a_value_that_another_process_fetches(alias: str) -> None:
    """What another process fetches at that moment is waited for, not fetched again (J3)."""
    job = Many().using(cache_alias=alias)
    with elsewhere():
        other = Steps(reading.get(slot_of(job, 2)))
        other.run_until(Fetch)
    mine = Background(lambda: job.get_many([1, 2, 3]))
    wait_until(lambda: [(1,), (3,)] in job.at.calls)
    other.finish()
    assert mine.result() == [2, 4, 6]
    assert job.at.calls.count(2) == 1 and len(job.at.calls) == 2


def test_a_value_that_another_thread_fetches() -> None:
    """And what another thread fetches, too (J3)."""
    job = Many()
    other = Steps(reading.get(slot_of(job, 2)))
    other.run_until(Fetch)
    mine = Background(lambda: job.get_many([1, 2, 3]))
    wait_until(lambda: [(1,), (3,)] in job.at.calls)
    other.finish()
    assert mine.result() == [2, 4, 6]


def test_get_waits_for_get_many(alias: str) -> None:
    """A ``get`` of one of the missing values takes it from ``get_many`` (J3)."""
    job = Many().using(cache_alias=alias)
    steps = Steps(bulk.get_many([slot_of(job, 1), slot_of(job, 2)]))
    steps.run_until(Fetch)
    one = Background(lambda: job.get(2))
    key = slot_of(job, 2).flight_key
    wait_until(lambda: flights._flights[key].waiters)
    steps.finish()
    assert one.result() == 4
    assert job.at.calls == [[(1,), (2,)]]


def test_two_that_overlap(alias: str) -> None:
    """Two calls that want the same values in other orders end, and fetch each once (J3)."""
    job = Many().using(cache_alias=alias)
    from tests.jobs.support import in_threads

    results = in_threads(8, lambda i: job.get_many([1, 2, 3] if i % 2 else [3, 2, 1]))
    assert results == [[2, 4, 6] if i % 2 else [6, 4, 2] for i in range(8)]
    fetched = [n for call in job.at.calls for n in (call if isinstance(call, list) else [(call,)])]
    assert sorted(fetched) == [(1,), (2,), (3,)]


def test_what_is_set_meanwhile_is_kept(alias: str) -> None:
    """A value that is set while ``fetch_many`` runs is not overwritten, the others stored (J5)."""
    job = Many().using(cache_alias=alias)
    job.at.before = lambda: job.set(2, data="set")
    assert job.get_many([1, 2, 3])[::2] == [2, 6]
    assert [job.raw_get(n)[1] for n in (1, 2, 3)] == [2, "set", 6]  # type: ignore[index]


def test_no_fetch_on_miss(capture: CaptureQueue) -> None:
    """Without ``fetch_on_miss`` each missing value is dispatched, and ``empty()`` (J4)."""
    job = Many().using(fetch_on_miss=False)
    job.set(1, data="one")
    assert job.get_many([1, 2, 3]) == ["one", None, None]
    assert sorted(call.key for call in capture.sent) == sorted([job.key(2), job.key(3)])
    assert job.at.calls == []


def test_should_cache_holds() -> None:
    """A value that ``should_cache`` refuses is returned and not stored."""

    class Choosy(Many):
        def should_cache(self, value: Any) -> bool:
            return value != 4

    job = Choosy()
    assert job.get_many([1, 2]) == [2, 4]
    assert job.raw_get(1) is not None and job.raw_get(2) is None
    assert job.explain(2).claimed_until is None


def test_wrong_arguments() -> None:
    """Arguments that ``fetch`` does not take are a ``TypeError`` before anything is fetched."""
    job = Many()
    with pytest.raises(TypeError):
        job.get_many([1, (1, 2, 3)])
    assert job.at.calls == []
    assert caches["default"].get(job.key(1)) is None
