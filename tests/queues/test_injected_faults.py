"""The fault injector before real Celery workers, behind Redis and RabbitMQ."""

from typing import Any

from cacheback_app import Job
from cacheback_app.testing import capture_refreshes, faults
from tests import services
from tests.addresses import Site

from .jobs import Price, fetches, make_stale
from .test_celery import renewed


def outcomes(results: Any, count: int) -> list[Any]:
    """Return what ``count`` tasks returned."""
    found = services.wait_until(
        lambda: len(results.all()) >= count and results.all(), what="the tasks' results"
    )
    return sorted(meta["result"] for meta in found.values())


def test_duplicates_are_fetched_once(on_broker: Site, results: Any, name: str) -> None:
    """Both messages reach the worker, which fetches for one of them (J9)."""
    make_stale(Price(), name)
    with faults.duplicate_tasks():
        assert Price().get(name) == "old"
    assert outcomes(results, 2) == [False, True]
    assert fetches(name) == 1


def test_released_to_the_worker(on_broker: Site, name: str) -> None:
    """A delayed refresh is a message as any other when it is released (J14)."""
    make_stale(Price(), name)
    with faults.delay_tasks() as delayed:
        assert Price().get(name) == "old"
        assert fetches(name) == 0
        delayed.release()
        assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"


def test_too_late_for_the_worker(on_broker: Site, results: Any, name: str) -> None:
    """A refresh that arrives after its claim has ended is not fetched (J8)."""
    make_stale(Price(), name)
    with faults.delay_tasks() as delayed:
        Price().get(name)
        delayed[0].lapse()
        delayed.release()
        assert outcomes(results, 1) == [False]
    assert fetches(name) == 0


def test_lost_before_the_worker(on_broker: Site, name: str) -> None:
    """The worker never hears of what is lost; when the claim is gone the next one reaches it
    (J8)."""
    make_stale(Price(), name)
    with faults.lose_tasks() as lost:
        assert [Price().get(name), Price().get(name)] == ["old"] * 2
        lost.assert_refreshes(1)
    assert Price().get(name) == "old"
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    assert fetches(name) == 1


def test_broker_down_and_up(on_broker: Site, name: str) -> None:
    """While the broker is down the caller fetches; right after the block the worker does (J10)."""
    make_stale(Price(), name)
    with faults.broker_down():
        assert Price().get(name) == f"{name} #1"
    make_stale(Price(), name)
    assert Price().get(name) == "old"
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #2"


def test_captured_before_the_worker(on_broker: Site, results: Any, name: str) -> None:
    """A captured refresh is run here, from the message that the worker would have got (J14)."""
    make_stale(Price(), name)
    with capture_refreshes() as refreshes:
        Price().get(name)
        assert refreshes[0].args == (name,)
        assert refreshes.run() == [True]
    assert Price().explain(name).status == Job.HIT
    assert results.all() == {}
