"""What ``get`` does when the queue cannot be reached."""

import time
from typing import Any

import pytest

from cacheback_app import Job, signals
from cacheback_app.exceptions import QueueError
from cacheback_app.queues import get_queue
from tests.jobs.support import (
    BrokenQueue,
    HangingQueue,
    Source,
    in_threads,
    listening,
    make_stale,
    path_of,
    warnings_of,
)


@pytest.fixture
def broken(settings: Any) -> BrokenQueue:
    settings.CACHEBACK_TASK_QUEUE = path_of(BrokenQueue)
    queue = get_queue()
    assert isinstance(queue, BrokenQueue)
    queue.tried = 0
    return queue


def stale(**options: Any) -> Source:
    job = Source().using(**options)
    job.get("x")
    make_stale(job, "x")
    job.at.value = "new"
    return job


def lazy(**options: Any) -> Source:
    return Source().using(fetch_on_miss=False, **options)


def test_fetch(broken: BrokenQueue) -> None:
    """Told to "fetch", it fetches in the caller, who gets the new value, and stores it (J10)."""
    job = stale()
    assert job.get("x") == "new" and job.get("x") == "new"
    assert (broken.tried, job.at.calls) == (1, ["x", "x"])
    assert job.explain("x").status == Job.HIT
    missing = lazy()
    assert missing.get("y") == "old"


def test_fetch_that_fails_as_well(broken: BrokenQueue) -> None:
    """When that fetch fails, the stale value or ``empty()`` is served, and the next try waits for
    ``error_backoff`` (J10, J7)."""
    job = stale()
    job.at.value = ValueError("no")
    assert [job.get("x") for _ in range(3)] == ["old"] * 3
    assert (broken.tried, len(job.at.calls)) == (1, 2)
    other = lazy()
    other.at.value = ValueError("no")
    assert [other.get("y") for _ in range(3)] == [None] * 3
    assert len(other.at.calls) == 1


def test_serve(broken: BrokenQueue) -> None:
    """Told to "serve", it serves what there is, and tries again after ``error_backoff`` (J10)."""
    job = stale(on_dispatch_error="serve")
    assert [job.get("x") for _ in range(5)] == ["old"] * 5
    assert broken.tried == 1 and job.at.calls == ["x"]
    other = lazy(on_dispatch_error="serve")
    assert [other.get("y") for _ in range(3)] == [None] * 3
    assert other.at.calls == []


def test_raise(broken: BrokenQueue) -> None:
    """Told to "raise", it raises a ``QueueError`` whose cause is the broker's own (J10)."""
    job = stale(on_dispatch_error="raise")
    with pytest.raises(QueueError) as caught:
        job.get("x")
    assert isinstance(caught.value.__cause__, OSError)
    assert job.get("x") == "old", "once per claim"
    for method in (job.invalidate, job.async_refresh):
        job.delete("x")
        job.set("x", data=1)
        with pytest.raises(QueueError):
            method("x")


@pytest.mark.parametrize("what", ["fetch", "serve"])
@pytest.mark.parametrize("method", ["invalidate", "async_refresh"])
def test_changes_do_not_raise(method: str, what: str, broken: BrokenQueue) -> None:
    """``invalidate`` and ``async_refresh`` do not raise because of the broker either (J10)."""
    job = stale(on_dispatch_error=what)
    getattr(job, method)("x")
    assert job.explain("x").status == (Job.HIT if what == "fetch" else Job.STALE)


def test_it_is_told(broken: BrokenQueue, caplog: pytest.LogCaptureFixture) -> None:
    """A queue that cannot be reached is signalled each time and logged now and then (J10)."""
    job = Source().using(on_dispatch_error="serve")
    job.get_many(range(20))
    for number in range(20):
        make_stale(job, number)
    with listening(signals.dispatch_failed) as failed:
        job.get_many(range(20))
    assert len(failed) == 20 and broken.tried >= 1
    assert failed[0]["job"] == "tests.jobs.support.Source"
    assert len(warnings_of(caplog)) == 1


@pytest.mark.parametrize("what", ["serve", "fetch", "raise"])
def test_a_queue_that_hangs(what: str, hanging: HangingQueue) -> None:
    """A broker that does not answer costs ``get`` a quarter of a second, once (J10)."""
    job = stale(on_dispatch_error=what)
    began = time.monotonic()
    try:
        value = job.get("x")
    except QueueError:
        value = "raised"
    took = time.monotonic() - began
    assert took < 0.5
    assert value == {"serve": "old", "fetch": "new", "raise": "raised"}[what]
    began = time.monotonic()
    for _ in range(20):
        job.get("x")
    assert time.monotonic() - began < 0.2


def test_a_page_with_many_stale_values(hanging: HangingQueue) -> None:
    """A page that reads forty stale values while the broker hangs waits once (J10)."""
    job = Source().using(on_dispatch_error="serve")
    job.get_many(range(40))
    for number in range(40):
        make_stale(job, number)
    began = time.monotonic()
    assert [job.get(number) for number in range(40)] == ["old"] * 40
    assert time.monotonic() - began < 0.8


def test_many_threads_while_the_queue_hangs(hanging: HangingQueue) -> None:
    """Thirty threads that read one stale value meanwhile are not held up (J10, J2)."""
    job = stale(on_dispatch_error="serve")
    began = time.monotonic()
    assert in_threads(30, lambda _: job.get("x")) == ["old"] * 30
    assert time.monotonic() - began < 1


def test_a_job_that_no_worker_can_import(settings: Any) -> None:
    """A job class that a worker could not import is a queue error: its value is fetched in the
    caller rather than lost (J10, J14)."""
    settings.CACHEBACK_TASK_QUEUE = path_of(BrokenQueue)

    class Local(Source):
        pass

    job = Local()
    job.get("x")
    make_stale(job, "x")
    job.at.value = "new"
    assert job.get("x") == "new"
    assert get_queue().tried == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["nonsense", "tests.jobs.support.nothing", "tests.nowhere.Queue"])
def test_a_queue_that_does_not_exist(name: str, settings: Any) -> None:
    """A queue that is no queue is a mistake of the site's, not an outage (J10)."""
    from django.core.exceptions import ImproperlyConfigured

    settings.CACHEBACK_TASK_QUEUE = name
    with pytest.raises(ImproperlyConfigured):
        stale().get("x")
