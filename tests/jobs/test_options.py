"""What a job can be told."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job, invalidate_tags
from cacheback_app.engine import reading
from cacheback_app.engine.entry import MARK
from cacheback_app.testing import Clock
from tests.jobs.support import (
    CaptureQueue,
    Source,
    TaggedSource,
    elsewhere,
    make_stale,
    slot_of,
)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What ``random.random`` gives, one after the other, and 0.0 ever after."""
    given: list[float] = []

    def numbers() -> Iterator[float]:
        while True:
            yield given.pop(0) if given else 0.0

    source = numbers()
    monkeypatch.setattr(random, "random", lambda: next(source))
    return given


DEFAULTS = {
    "lifetime": 600,
    "cache_ttl": 2592000,
    "refresh_timeout": 60,
    "fetch_on_miss": True,
    "fetch_on_stale_threshold": None,
    "wait_timeout": None,
    "stale_if_error": True,
    "error_backoff": 10,
    "jitter": 0,
    "early_refresh": None,
    "local_ttl": 0,
    "cache_alias": None,
    "task_options": None,
    "on_dispatch_error": "fetch",
    "set_data_kwarg": "data",
    "version": None,
}


def test_defaults() -> None:
    """The options and their defaults are the documented ones (contract, section 1)."""
    assert {name: getattr(Job, name) for name in DEFAULTS} == DEFAULTS
    assert (Job.MISS, Job.HIT, Job.STALE) == (0, 1, 2)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_option_is_one_of_using(name: str) -> None:
    """``using`` takes every option, and leaves the job that it copies alone."""
    value = {"on_dispatch_error": "serve"}.get(name, 1)
    job = Source()
    other = job.using(**{name: value})
    assert type(other) is Source and other is not job
    assert getattr(other, name) == value
    assert getattr(job, name) == getattr(Source, name)
    assert getattr(other.using(jitter=0.5), name) == (0.5 if name == "jitter" else value)


@pytest.mark.parametrize("attributes", [{"nonsense": 1}, {"fetch": 1}, {"MISS": 3}, {"_at": 1}])
def test_using_refuses_what_is_no_option(attributes: dict[str, Any]) -> None:
    """What is not an option is a ``TypeError`` that names it."""
    with pytest.raises(TypeError, match=next(iter(attributes))):
        Source().using(**attributes)
    with pytest.raises(ValueError, match="explode"):
        Source().using(on_dispatch_error="explode")


@pytest.mark.parametrize("lifetime", [90, 90.0, "90", "1:30", "90 seconds", timedelta(seconds=90)])
def test_lifetimes_are_durations(lifetime: Any) -> None:
    """A lifetime is a number of seconds, a text or a ``timedelta``."""
    job = Source().using(lifetime=lifetime)
    before = time.time()
    job.get("x")
    raw = job.raw_get("x")
    assert raw is not None and before + 90 <= raw[0] <= time.time() + 90


DURATIONS = [
    "cache_ttl",
    "refresh_timeout",
    "fetch_on_stale_threshold",
    "wait_timeout",
    "error_backoff",
    "local_ttl",
]


@pytest.mark.parametrize("name", DURATIONS)
def test_all_times_are_durations(name: str, capture: CaptureQueue) -> None:
    """Every option that is a time may be a text or a ``timedelta``, wherever it is used."""
    for value in ("20 minutes", timedelta(minutes=20)):
        job = Source().using(**{name: value, "lifetime": "1 minute"})
        job.delete("x")
        assert job.get("x") == job.get("x") == "old"
        make_stale(job, "x")
        assert job.get("x") == "old"
        job.at.value = ValueError("no")
        for call in capture.sent:
            with pytest.raises(ValueError, match="no"):
                call.run()
        capture.sent.clear()


def test_jitter_brings_expiry_forward(draws: list[float]) -> None:
    """``jitter`` brings each expiry forward by up to that fraction of the lifetime, and
    never puts it off."""
    job = Source().using(jitter=0.5, lifetime=100)
    for draw, at in [(0.0, 100), (0.5, 75), (0.999, 50)]:
        draws[:] = [draw]
        before = time.time()
        job.refresh("x")
        raw = job.raw_get("x")
        assert raw is not None and raw[0] == pytest.approx(before + at, abs=1)


def test_jitter_spreads() -> None:
    """Values that were fetched together do not expire together."""
    job = Source().using(jitter=0.3, lifetime=1000)
    now = time.time()
    job.get_many(range(100))
    expiries = [job.raw_get(n)[0] - now for n in range(100)]  # type: ignore[index]
    assert all(699 < expiry < 1001 for expiry in expiries)
    assert max(expiries) - min(expiries) > 100


def entry(job: Source, *, left: float, duration: float) -> None:
    """Cache a value that is fresh for ``left`` more seconds and took ``duration`` to fetch."""
    now = time.time()
    packed = (MARK, now + left, "old", now - 1, float(duration))
    caches["default"].set(job.key("x"), packed)
    caches["default"].delete(job.key("x") + ":claim")


@pytest.mark.parametrize("call", ["get", "get_many"])
@pytest.mark.parametrize(
    ("left", "duration", "beta", "draw", "is_early"),
    [
        # -duration * beta * ln(u) against what is left; u is 1 - draw
        (10, 1.0, 1.0, 0.0, False),
        (10, 1.0, 1.0, 1 - 4.0e-5, True),  # ln(u) = -10.13
        (10, 1.0, 1.0, 1 - 5.0e-5, False),  # ln(u) = -9.90
        (10, 10.0, 1.0, 0.5, False),  # 6.9 s
        (10, 10.0, 1.0, 0.7, True),  # 12.0 s
        (10, 10.0, 0.5, 0.7, False),
        (10, 10.0, 2.0, 0.5, True),
        (10, 0.0, 5.0, 0.999999, False),  # set by hand: nothing to refresh early
    ],
)
def test_early_refresh(
    left: float,
    duration: float,
    beta: float,
    draw: float,
    is_early: bool,
    call: str,
    capture: CaptureQueue,
    draws: list[float],
) -> None:
    """``early_refresh`` dispatches a refresh of a fresh value by the XFetch rule, with one draw
    a read; the caller has a hit."""
    job = Source().using(early_refresh=beta)
    entry(job, left=left, duration=duration)
    draws[:] = [draw, 0.0, 0.0, 0.0]
    assert job.get_many(["x"]) == ["old"] if call == "get_many" else job.get("x") == "old"
    assert len(capture.sent) == int(is_early)
    assert job.at.calls == []


def test_an_early_refresh_is_claimed(capture: CaptureQueue, draws: list[float]) -> None:
    """An early refresh is dispatched once, and a worker does not skip it for being fresh (J2)."""
    job = Source().using(early_refresh=1.0)
    entry(job, left=10, duration=10)
    draws[:] = [0.9] * 5
    assert [job.get("x") for _ in range(5)] == ["old"] * 5
    assert len(capture.sent) == 1
    job.at.value = "new"
    draws[:] = [0.0] * 5
    assert capture.run_all() == [True]
    assert job.get("x") == "new"


def test_version_abandons(capture: CaptureQueue) -> None:
    """Another ``version`` is another key, and a worker uses the one of its reader (J14)."""
    job = Source()
    job.get("x")
    for version in (1, 2, "2", "b"):
        newer = job.using(version=version)
        assert newer.raw_get("x") is None
        newer.get("x")
        make_stale(newer, "x")
        newer.get("x")
        [call] = capture.sent
        assert call.key == newer.key("x")
        capture.run_all()
    assert len({job.using(version=v).key("x") for v in (None, 1, 2, "2", "b")}) == 5


def test_cache_alias(settings: Any) -> None:
    """``cache_alias`` and ``CACHEBACK_CACHE_ALIAS`` say where values are kept."""
    job = Source()
    job.using(cache_alias="other").get("x")
    assert caches["other"].get(job.key("x")) and not caches["default"].get(job.key("x"))
    settings.CACHEBACK_CACHE_ALIAS = "other"
    job.get("x")
    assert job.at.calls == ["x"]


def test_local_ttl_serves_what_another_process_changed(clock: Clock) -> None:
    """Within ``local_ttl`` this process may serve what it knows; after it, it does not."""
    job = Source().using(local_ttl=5)
    job.get("x")
    job.get("x")
    with elsewhere():
        Source().set("x", data="new")
    assert job.get("x") == "old"
    clock.advance(5.5)
    assert job.get("x") == "new"


@pytest.mark.parametrize("change", ["set", "delete", "invalidate", "refresh", "tags"])
def test_local_ttl_and_changes_of_this_process(change: str, capture: CaptureQueue) -> None:
    """What this process changes itself it serves at once, ``local_ttl`` or not (J5)."""
    job = TaggedSource().using(local_ttl=100)
    job.get("x")
    job.get("x")
    job.at.value = "new"
    if change == "set":
        job.set("x", data="new")
    elif change == "tags":
        invalidate_tags("all")
    else:
        getattr(job, change)("x")
    if change in ("invalidate", "tags"):
        assert job.get("x") == "old"
        capture.run_all()
    assert job.get("x") == "new"


def test_local_ttl_is_not_longer_than_the_lifetime(clock: Clock, capture: CaptureQueue) -> None:
    """A value that expires sooner than ``local_ttl`` is served no longer than that."""
    job = Source().using(local_ttl=100, lifetime=10)
    job.get("x")
    job.get("x")
    clock.advance(11)
    assert job.get("x") == "old"
    assert len(capture.sent) == 1


def test_local_ttl_counts_from_the_read(clock: Clock) -> None:
    """Another process's change is served ``local_ttl`` later, however long this one took to keep
    what it had read before that."""
    job = Source().using(local_ttl=5)
    job.get("x")
    flow = reading.get(slot_of(job, "x"))
    found = next(flow).run()
    with elsewhere():
        Source().set("x", data="new")
    clock.advance(4)
    with pytest.raises(StopIteration):
        flow.send(found)
    clock.advance(2)
    assert job.get("x") == "new"


def test_a_worker_uses_the_options_of_using() -> None:
    """Options given to ``using`` go with the task (J14)."""
    import json

    from cacheback_app.queues import RefreshCall
    from tests.jobs import elsewhere as jobs

    job = jobs.Slow().using(lifetime=1234, version=7)
    from cacheback_app.engine.claims import Claim, State
    from cacheback_app.queues.celery import CeleryQueue
    from tests.jobs.support import slot_of

    call = RefreshCall.of(slot_of(job, "a"), Claim.new(State.PENDING, 5), None, 5, CeleryQueue())
    other = RefreshCall.from_message(json.loads(json.dumps(call.message()))).slot()
    assert other.key == job.key("a")
    assert (other.job.lifetime, other.job.version) == (1234, 7)


def test_disabled(settings: Any, capture: CaptureQueue) -> None:
    """With ``CACHEBACK_ENABLED = False`` every read calls through and stores nothing."""
    settings.CACHEBACK_ENABLED = False
    job = Source()
    assert job.get("x") == "old" and job.get("x") == "old"
    assert job.get_many(["x", "y"]) == ["old", "old"]
    assert job.at.calls == ["x", "x", "x", "y"]
    settings.CACHEBACK_ENABLED = True
    assert job.raw_get("x") is None


def test_should_cache(alias: str) -> None:
    """A value that ``should_cache`` refuses is returned, to waiters too, and not stored."""

    class Choosy(Source):
        def should_cache(self, value: Any) -> bool:
            return value is not None

    job = Choosy().using(cache_alias=alias)
    job.at.value = None
    assert job.get("x") is None and job.get("x") is None
    assert job.at.calls == ["x", "x"] and job.raw_get("x") is None
    assert job.explain("x").claimed_until is None
    job.at.value = 1
    assert job.get("x") == job.get("x") == 1


def test_prepared_arguments() -> None:
    """``prepare_args`` and ``prepare_kwargs`` come before key and fetch, on every path."""

    class Prepared(Source):
        def prepare_args(self, *args: Any) -> tuple[Any, ...]:
            return tuple(str(arg).lower() for arg in args)

        def prepare_kwargs(self, **kwargs: Any) -> dict[str, Any]:
            return {name: str(value).lower() for name, value in kwargs.items()}

    job = Prepared()
    job.get("ABC")
    assert job.get("abc") == job.get(name="Abc") == "old"
    assert job.get_many(["aBc"]) == ["old"]
    assert job.at.calls == ["abc"]
    job.set("ABC", data=5)
    assert job.get("abc") == 5
    job.delete("Abc")
    assert job.raw_get("abc") is None


class Static(Job):
    @staticmethod
    def fetch(name: str, limit: int = 10) -> Any:  # type: ignore[override]
        return [name] * limit


class OfTheClass(Job):
    times = 2

    @classmethod
    def fetch(cls, name: str, limit: int = 10) -> Any:  # type: ignore[override]
        return [name] * cls.times


@pytest.mark.parametrize("kind", [Static, OfTheClass])
def test_fetch_without_self(kind: type[Job]) -> None:
    """``fetch`` may be a static method or one of the class, if that is all it needs (J13)."""
    job = kind()
    assert job.get("a", 2) == job.get(name="a", limit=2) == ["a", "a"]
    assert job.key("a") == job.key("a", limit=10) != job.key("b")
    assert job.get_many([("a", 2)]) == [["a", "a"]]
    with pytest.raises(TypeError):
        job.get()
