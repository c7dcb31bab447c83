"""Celery with real workers, behind Redis and RabbitMQ."""

from collections.abc import Callable
from typing import Any

import pytest

from cacheback_app import Job
from tests.addresses import Site
from tests.services import wait_until

from .jobs import Broken, Flaky, Price, fetches, make_stale


def renewed(read: Callable[[], tuple[float, Any] | None], old: Any = "old") -> Any:
    """Return the value as soon as it is not ``old`` any more."""
    wait_until(lambda: (found := read()) and found[1] != old, what="the renewed value")
    found = read()
    assert found is not None
    return found[1]


def test_stale_value_is_renewed_by_the_worker(on_broker: Site, name: str) -> None:
    """The caller gets the stale value at once, and the worker stores a fresh one (J2)."""
    make_stale(Price(), name)
    assert Price().get(name) == "old"
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    assert Price().explain(name).status == Job.HIT
    assert fetches(name) == 1


def test_missing_value_is_fetched_by_the_worker(on_broker: Site, name: str) -> None:
    """Without ``fetch_on_miss`` the caller gets ``empty()``, and one worker fetches (J4)."""
    job = Price().using(fetch_on_miss=False)
    assert [job.get(name) for _ in range(3)] == [None] * 3 or fetches(name) == 1
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
    assert job.get(name) == f"{name} #1"


def test_failing_fetch_fails_the_task(on_broker: Site, results: Any, name: str) -> None:
    """A fetch that raises makes the task fail with that very error, and is explained (J9)."""
    make_stale(Broken(), name)
    assert Broken().get(name) == "old"
    found = results.wait_for_one()
    assert found["status"] == "FAILURE"
    assert found["result"]["exc_type"] == "LookupError"
    assert Broken().get(name) == "old"
    assert "the upstream is down" in str(Broken().explain(name).last_error)
    assert fetches(name) == 1


def test_celery_retries_a_failed_refresh(on_broker: Site, results: Any, name: str) -> None:
    """Retry options that the site gives the task apply: the second try is let through (J9)."""
    make_stale(Flaky(), name)
    assert Flaky().get(name) == "old"
    assert renewed(lambda: Flaky().raw_get(name)) == f"{name} #2"
    found = results.wait_for_one()
    assert (found["status"], found["result"]) == ("SUCCESS", True)
    assert fetches(name) == 2


def test_retry_after_the_backoff(on_redis: Site, results: Any, name: str) -> None:
    """A retry is let through also when the pause outlasted the failed claim (J9)."""
    job = Flaky().using(error_backoff=0)
    make_stale(job, name)
    job.get(name)
    assert renewed(lambda: job.raw_get(name)) == f"{name} #2"


def test_task_is_skipped_when_the_key_became_fresh(
    on_redis: Site, held: Any, results: Any, name: str
) -> None:
    """A refresh whose key became fresh after it was enqueued is not fetched (J9)."""
    job = Price().using(task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    message = held.take()
    job.set(name, data="by hand")
    found = results.wait(held.deliver(message))
    assert (found["status"], found["result"]) == ("SUCCESS", False)
    assert job.get(name) == "by hand"
    assert fetches(name) == 0


def test_duplicate_delivery_runs_once(on_redis: Site, held: Any, results: Any, name: str) -> None:
    """A message that the broker delivers three times is fetched once (J9)."""
    job = Price().using(task_options={"queue": "held"}, lifetime=0)
    make_stale(job, name)
    job.get(name)
    message = held.take()
    ids = [held.deliver(message) for _ in range(3)]
    outcomes = [results.wait(task_id)["result"] for task_id in ids]
    assert outcomes == [True, False, False]
    assert fetches(name) == 1


@pytest.mark.parametrize("what", ["deleted", "claimed by another"])
def test_late_task_is_skipped(
    on_redis: Site, held: Any, results: Any, name: str, what: str
) -> None:
    """A task whose claim is gone or is another's does nothing (J8, J9)."""
    job = Price().using(task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    message = held.take()
    job.delete(name)
    if what == "claimed by another":
        make_stale(job, name)
        job.get(name)
        held.take()
    assert results.wait(held.deliver(message))["result"] is False
    assert fetches(name) == 0
    assert (job.raw_get(name) is None) is (what == "deleted")
