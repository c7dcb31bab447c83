"""What happens when a fetch fails."""

import asyncio
import logging
from typing import Any

import pytest

from cacheback_app import Call, Job, signals
from cacheback_app.testing import Clock
from tests.jobs.support import (
    CaptureQueue,
    Source,
    in_threads,
    listening,
    make_stale,
    warnings_of,
)


class OwnError(Exception):
    def __init__(self, needed: str, *, also: int) -> None:
        super().__init__(needed)
        self.also = also


ERRORS = [
    ValueError("no"),
    OwnError("one", also=2),
    StopIteration("out"),
    StopAsyncIteration("out"),
    TimeoutError("slow"),
    LookupError("none"),
    KeyboardInterrupt(),
    SystemExit(3),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("call", ["get", "refresh", "get_many"])
def test_unchanged_on_a_miss(call: str, error: BaseException, alias: str) -> None:
    """The exception of a fetch reaches its caller as it is, and leaves no claim (J7)."""
    job = Source().using(cache_alias=alias)
    job.at.value = error
    with pytest.raises(type(error)) as caught:
        job.get_many(["x"]) if call == "get_many" else getattr(job, call)("x")
    assert caught.value is error
    assert job.explain("x").claimed_until is None
    job.at.value = "well"
    assert job.get("x") == "well"


@pytest.mark.parametrize("error", [e for e in ERRORS if isinstance(e, Exception)][:2], ids=repr)
def test_unchanged_on_a_miss_for_async_callers(error: Exception) -> None:
    """Async callers get it as it is, too (J7, J18)."""
    job = Source()
    job.at.value = error
    for method in (job.aget, job.arefresh):
        with pytest.raises(type(error)) as caught:
            asyncio.run(method("x"))
        assert caught.value is error


def test_nothing_is_cached(alias: str) -> None:
    """A failure is not cached: the next caller tries (J7)."""
    job = Source().using(cache_alias=alias)
    job.at.value = ValueError("no")
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            job.get("x")
    assert len(job.at.calls) == 3 and job.raw_get("x") is None


def test_a_stale_value_is_served_when_refetching_fails(alias: str) -> None:
    """With ``stale_if_error`` a caller that refetches gets the stale value instead of the
    exception, once per ``error_backoff`` an attempt (J7)."""
    job = Source().using(cache_alias=alias, fetch_on_stale_threshold=0, error_backoff=60)
    job.get("x")
    make_stale(job, "x")
    job.at.value = ValueError("no")
    assert [job.get("x") for _ in range(4)] == ["old"] * 4
    assert asyncio.run(job.aget("x")) == "old"
    assert len(job.at.calls) == 2
    explained = job.explain("x")
    assert explained.status == Job.STALE and explained.last_error == "ValueError: no"


def test_backoff_ends(clock: Clock) -> None:
    """After ``error_backoff``, not before, it is tried again; a success clears the error (J7)."""
    job = Source().using(fetch_on_stale_threshold=0, error_backoff=30)
    job.get("x")
    make_stale(job, "x")
    job.at.value = ValueError("no")
    job.get("x")
    clock.advance(29)
    job.get("x")
    assert len(job.at.calls) == 2
    clock.advance(2)
    job.at.value = "new"
    assert job.get("x") == "new"
    explained = job.explain("x")
    assert (explained.last_error, explained.claimed_until) == (None, None)


def test_no_backoff(capture: CaptureQueue) -> None:
    """With ``error_backoff = 0`` the next caller tries at once (J7)."""
    job = Source().using(error_backoff=0)
    job.get("x")
    make_stale(job, "x")
    job.at.value = ValueError("no")
    for _ in range(2):
        assert job.get("x") == "old"
        with pytest.raises(ValueError, match="no"):
            capture.run_all()
    assert len(job.at.calls) == 3


def test_the_exception_without_stale_if_error(alias: str) -> None:
    """Without ``stale_if_error`` the exception reaches everybody who wants a value (J7)."""
    job = Source().using(cache_alias=alias, fetch_on_stale_threshold=0, stale_if_error=False)
    job.get("x")
    make_stale(job, "x")
    job.at.value = error = ValueError("no")
    assert in_threads(8, lambda _: job.get("x")) == [error] * 8
    assert job.raw_get("x") is not None, "it stays for who wants it"


def test_a_background_failure_is_backed_off(
    alias: str, capture: CaptureQueue, clock: Clock
) -> None:
    """A refresh that failed in a worker is not dispatched again for ``error_backoff`` (J7)."""
    job = Source().using(cache_alias=alias, error_backoff=1000)
    job.get("x")
    make_stale(job, "x")
    job.at.value = ValueError("no")
    job.get("x")
    with pytest.raises(ValueError, match="no"):
        capture.run_all()
    assert job.get("x") == "old"
    assert capture.sent == []
    assert job.explain("x").claimed_until is not None


@pytest.mark.parametrize("where", ["caller", "worker"])
def test_failures_are_logged_and_signalled(
    where: str, caplog: pytest.LogCaptureFixture, capture: CaptureQueue
) -> None:
    """A failure is one warning without arguments or values, and one signal, wherever it
    happens (J7)."""
    job = Source()
    job.at.value = ValueError("secret")
    if where == "worker":
        job = job.using(fetch_on_miss=False)
        job.get("argument")
    with (
        caplog.at_level(logging.INFO, "cacheback"),
        listening(signals.refresh_failed) as failed,
        pytest.raises(ValueError, match="secret"),
    ):
        capture.run_all() if where == "worker" else job.get("argument")
    [told] = failed
    assert told["exception"] is job.at.value and told["sender"] is Source
    assert told["job"] == "tests.jobs.support.Source"
    assert told["background"] is (where == "worker") and told["duration"] >= 0
    [line] = warnings_of(caplog)
    assert "tests.jobs.support.Source" in line and "ValueError" in line
    assert "secret" not in caplog.text and "argument" not in caplog.text


class Unpicklable:
    def __reduce__(self) -> str:
        raise TypeError("secret")


def test_a_value_that_cannot_be_stored_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It is one warning without what the serialiser says of it, which may be the value: that is
    logged at DEBUG (section 7)."""
    job = Source()
    job.at.value = Unpicklable()
    with caplog.at_level(logging.DEBUG, "cacheback"):
        assert job.get("argument") is job.get("argument") is job.at.value
    [line] = warnings_of(caplog)
    assert line == "What tests.jobs.support.Source returns cannot be cached (TypeError)"
    assert "secret" in caplog.text


def test_a_served_stale_value_is_no_silence(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that ``stale_if_error`` hides from the caller is logged and signalled (J7)."""
    job = Source().using(fetch_on_stale_threshold=0)
    job.get("x")
    make_stale(job, "x")
    job.at.value = ValueError("no")
    with listening(signals.refresh_failed) as failed:
        job.get("x")
    assert len(failed) == 1 and len(warnings_of(caplog)) == 1


def test_what_follows_a_failure_is_counted_once(alias: str) -> None:
    """Of many callers that share one failed fetch, one tells the signals (J7)."""
    job = Source().using(cache_alias=alias)
    job.at.value = ValueError("no")
    with listening(signals.refresh_failed) as failed:
        in_threads(8, lambda _: job.get("x"))
    assert len(failed) == len(job.at.calls)


def test_a_signal_receiver_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """An error in a receiver goes no further, whatever the signal (J7)."""

    def bad(**kwargs: Any) -> None:
        raise ZeroDivisionError

    every = (
        signals.cache_read,
        signals.refresh_succeeded,
        signals.refresh_failed,
        signals.refresh_dispatched,
        signals.cache_failed,
    )
    for signal in every:
        signal.connect(bad)
    try:
        job = Source()
        assert job.get("x") == job.get("x") == "old"
        make_stale(job, "x")
        assert job.get("x") == "old"
        assert job.using(cache_alias="down").get("x") == "old"
        job.at.value = ValueError("no")
        with pytest.raises(ValueError, match="no"):
            job.get("y")
    finally:
        for signal in every:
            signal.disconnect(bad)


def test_wrong_arguments_are_told_at_the_call() -> None:
    """Arguments that ``fetch`` does not take are a ``TypeError`` at once (J7)."""
    with pytest.raises(TypeError):
        Source().get("x", "y", "z")
    with pytest.raises(TypeError):
        Source().get(nothing=1)
    with pytest.raises(TypeError):
        Source().get_many([Call(("x",), {"nothing": 1})])


def test_fetch_many_fails_as_fetch_does() -> None:
    """An exception of ``fetch_many`` reaches the caller unchanged, and leaves no claim (J7)."""

    class Many(Job):
        errors: list[BaseException] = []

        def fetch(self, number: int) -> int:
            return number

        def fetch_many(self, calls: Any) -> Any:
            raise self.errors[0]

    for error in (ValueError("no"), StopIteration("out")):
        Many.errors = [error]
        with pytest.raises(type(error)) as caught:
            Many().get_many([1, 2])
        assert caught.value is error
        assert Many().explain(1).claimed_until is None
