"""A value is gone ``cache_ttl`` after its fetch, whatever happened since."""

import asyncio
import math
import time
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job
from cacheback_app.engine import reading
from cacheback_app.engine.flow import Fetch
from cacheback_app.testing import Clock
from tests.jobs.support import Background, CaptureQueue, Source, Steps, slot_of


class Short(Source):
    lifetime = 10
    cache_ttl = 60
    refresh_timeout = 5
    error_backoff = 5


def test_ttl_counts_from_the_beginning_of_the_fetch(clock: Clock) -> None:
    """A fetch of 30 s leaves 30 s of a ``cache_ttl`` of 60 s (J6)."""
    job = Short().using(fetch_on_miss=False, on_dispatch_error="serve")
    job.at.before = lambda: clock.advance(30)
    job.refresh("x")
    job.at.before = lambda: None
    clock.advance(29)
    assert job.raw_get("x") is not None
    clock.advance(2)
    assert job.raw_get("x") is None
    assert job.explain("x").status == Job.MISS


def test_a_fetch_slower_than_the_ttl_is_not_stored(clock: Clock) -> None:
    """What is gone before it is there is given to its caller only (J6)."""
    job = Short()
    job.at.before = lambda: clock.advance(61)
    assert job.get("x") == "old"
    assert job.raw_get("x") is None


def test_neither_claims_nor_failures_nor_invalidation_extend_it(
    clock: Clock, capture: CaptureQueue
) -> None:
    """A value whose every refresh is lost or fails is gone after ``cache_ttl`` (J6)."""
    job = Short()
    job.get("x")
    fetched = time.time()
    clock.advance(5)
    job.at.value = ValueError("no")
    while time.time() < fetched + 53:
        clock.advance(6)
        assert job.get("x") == "old"
        assert len(capture.sent) == 1
        with pytest.raises(ValueError, match="no"):
            capture.run_all()
        job.invalidate("x")
        capture.sent.clear()
    assert job.raw_get("x") is not None
    clock.advance(fetched + 60.5 - time.time())
    assert job.raw_get("x") is None
    with pytest.raises(ValueError, match="no"):
        job.get("x")


@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis"])
def test_time_to_live_on_redis(alias_name: str, redis_url: str, capture: CaptureQueue) -> None:
    """Redis is told ``cache_ttl`` once, and a claim or an invalidation leaves it (J6)."""
    from cacheback_app.engine.state import state_for

    job = Source().using(cache_alias=alias_name, cache_ttl=1000)
    state: Any = state_for(alias_name)
    key = state.full_key(job.key("x"))
    job.get("x")
    ttl = state.client.pttl(key)
    assert 999_000 < ttl <= 1_000_000
    state.client.pexpire(key, 500_000)
    job.invalidate("x")
    job.get("x")
    assert 499_000 < state.client.pttl(key) <= 500_000


def test_gone_is_gone_on_redis_too(redis_url: str) -> None:
    """After ``cache_ttl`` the server has forgotten the value (J6)."""
    job = Source().using(cache_alias="own", cache_ttl=0.2)
    job.get("x")
    time.sleep(0.25)
    assert caches["own"].get(job.key("x")) is None
    job.get("x")
    assert len(job.at.calls) == 2


def test_raw_get_and_explain_tell_the_true_expiry(clock: Clock, capture: CaptureQueue) -> None:
    """While a refresh is claimed, and after an invalidation, the expiry told is the true one
    (J6)."""
    job = Short()
    before = time.time()
    job.get("x")
    raw = job.raw_get("x")
    assert raw is not None and raw[1] == "old"
    expiry = raw[0]
    assert before + 10 <= expiry <= time.time() + 10
    clock.advance(11)
    job.get("x")
    assert len(capture.sent) == 1
    assert job.raw_get("x") == (expiry, "old")
    assert job.explain("x").expiry == expiry
    job.invalidate("x")
    assert job.raw_get("x") == (expiry, "old"), "it was stale before"


def test_expiry_of_what_was_invalidated(clock: Clock, capture: CaptureQueue) -> None:
    """An invalidated value expired when it was invalidated, and stays so (J6)."""
    job = Short()
    job.get("x")
    clock.advance(3)
    before = time.time()
    job.invalidate("x")
    after = time.time()
    clock.advance(2)
    job.invalidate("x")
    raw, explained = job.raw_get("x"), job.explain("x")
    assert raw is not None and before <= raw[0] <= after
    assert (explained.status, explained.expiry) == (Job.STALE, raw[0])


def test_looking_triggers_nothing(clock: Clock, capture: CaptureQueue) -> None:
    """``raw_get`` and ``explain`` of a missing, fresh or stale value trigger nothing (J6)."""
    job = Short()
    for _ in range(2):
        assert job.raw_get("x") is None and job.explain("x").status == Job.MISS
        assert asyncio.run(job.araw_get("x")) is None
    assert job.at.calls == []
    job.get("x")
    clock.advance(11)
    assert job.raw_get("x") is not None
    assert asyncio.run(job.araw_get("x")) == job.raw_get("x")
    explained = asyncio.run(job.aexplain("x"))
    assert explained.status == Job.STALE and explained.claimed_until is None
    assert capture.sent == [] and job.at.calls == ["x"]


def test_a_lowered_ttl_holds_for_what_is_stale(clock: Clock) -> None:
    """A fresh value keeps its promise; a stale one is gone by the ``cache_ttl`` of now (J6)."""
    job = Source().using(lifetime=10)
    job.get("x")
    clock.advance(9)
    lower = job.using(cache_ttl=5)
    assert lower.get("x") == lower.raw_get("x")[1] and lower.explain("x").status == Job.HIT
    clock.advance(2)
    assert lower.raw_get("x") is None and lower.explain("x").status == Job.MISS
    lower.get("x")
    assert job.at.calls == ["x", "x"]


def test_no_ttl_means_for_ever(clock: Clock, capture: CaptureQueue) -> None:
    """With ``cache_ttl = None`` a value is never gone (J6)."""
    job = Source().using(cache_ttl=None)
    job.get("x")
    clock.advance(10 * 365 * 24 * 3600)
    assert job.get("x") == "old" and len(capture.sent) == 1


def test_expiry_and_timeout_are_timestamps(capture: CaptureQueue) -> None:
    """``expiry`` and ``timeout`` may be overridden, and return Unix timestamps (J6)."""

    class Midnight(Source):
        def expiry(self, name: str) -> float:
            return time.time() + 1234

        def timeout(self, name: str) -> float:
            return time.time() + 4321

    job = Midnight()
    job.get("x")
    raw = job.raw_get("x")
    assert raw is not None and raw[0] == pytest.approx(time.time() + 1234, abs=2)
    steps = Steps(reading.get(slot_of(job, "y")))
    steps.run_until(Fetch)
    claimed = job.explain("y").claimed_until
    assert claimed == pytest.approx(time.time() + 4321, abs=2)
    steps.finish()


@pytest.mark.parametrize("when", ["set", "refresh"])
def test_set_and_refresh_begin_anew(when: str, clock: Clock) -> None:
    """``set`` and ``refresh`` count as a fetch of now (J6)."""
    job = Short()
    job.get("x")
    clock.advance(59)
    job.set("x", data="old") if when == "set" else job.refresh("x")
    clock.advance(59)
    assert job.raw_get("x") is not None


@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis"])
def test_a_slow_fetch_leaves_less_on_the_server(
    alias_name: str, redis_url: str, clock: Clock
) -> None:
    """Redis forgets a value ``cache_ttl`` after its fetch began, not after it was stored (J6)."""
    from redis import Redis

    job = Short().using(cache_alias=alias_name, refresh_timeout=100)
    job.at.before = lambda: clock.advance(40)
    job.get("x")
    with Redis.from_url(redis_url) as client:
        left = client.pttl(caches[alias_name].make_key(job.key("x")))
    assert 15_000 < left <= 20_000


class NoTime(Source):
    def expiry(self, *args: Any) -> float:
        return math.nan


@pytest.mark.parametrize("name", ["default", "file"])
def test_an_expiry_that_is_no_number(name: str, capture: CaptureQueue) -> None:
    """An ``expiry`` that is no number is past: the value is stale, and can be invalidated in caches
    that compare what is stored, too (J6)."""
    job = NoTime().using(cache_alias=name)
    job.set("x", data=1)
    assert job.explain("x").status == Job.STALE
    Background(lambda: job.invalidate("x")).result()
    assert job.get("x") == 1
    job.delete("x")


@pytest.mark.parametrize("name", ["default", "redis", "own", "django_redis", "file"])
@pytest.mark.parametrize("option", ["cache_ttl", "refresh_timeout"])
@pytest.mark.parametrize("long", [math.inf, 1e300])
def test_for_ever(
    option: str, long: float, name: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What lives longer than a cache can count lives for ever, and is no cache that fails (J6)."""
    job = Source().using(cache_alias=name, **{option: long})
    job.delete("x")
    assert job.get("x") == "old"
    assert job.raw_get("x") is not None and "failed" not in caplog.text
    job.delete("x")
