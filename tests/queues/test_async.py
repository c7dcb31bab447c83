"""Async callers and the queues."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app

from cacheback_app import Job
from cacheback_app.queues import get_queue
from tests.addresses import Site

from .jobs import AsyncPrice, Price, make_stale
from .test_broker_down import dead, dead_port, silent_port  # noqa: F401 - fixtures
from .test_celery import renewed


class Tide(Job):
    async def fetch(self, port: str) -> str:
        await asyncio.sleep(0)
        return f"tide at {port}"


class Broken(Job):
    def fetch(self) -> str:
        raise LookupError("the upstream is down")


@pytest.mark.parametrize("job", [Price(), AsyncPrice()], ids=["def", "async def"])
def test_stale_value_is_renewed_by_the_worker(on_broker: Site, name: str, job: Job) -> None:
    """An async caller's stale value is renewed by a Celery worker like any other (J2, J18)."""
    make_stale(job, name)
    assert asyncio.run(job.aget(name)) == "old"
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"


async def longest_pause(work: Any) -> tuple[Any, float]:
    """Return what ``work`` gives, and for how long it kept the event loop from turning."""
    longest, last = 0.0, time.monotonic()
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return task.result(), longest


def test_dead_broker_blocks_no_event_loop(
    dead: Site,  # noqa: F811
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a broker does not answer, coroutines go on, and the caller is served (J10, J18)."""
    monkeypatch.setattr("cacheback_app.queues.handoff.PATIENCE", 1.5)
    jobs = Price().using(on_dispatch_error="serve")
    for number in range(5):
        make_stale(jobs, f"{name}{number}")

    async def read() -> list[Any]:
        return list(await asyncio.gather(*(jobs.aget(f"{name}{n}") for n in range(5))))

    began = time.monotonic()
    values, pause = asyncio.run(longest_pause(read()))
    assert values == ["old"] * 5
    assert time.monotonic() - began < 5
    assert pause < 1


@pytest.mark.parametrize("queue", ["sync", "threads"])
def test_queue_in_this_process(settings: Any, queue: str) -> None:
    """An async fetch runs in place or in a thread for an async caller (J18)."""
    settings.CACHEBACK_TASK_QUEUE = queue
    make_stale(Tide(), "Emden")

    async def read() -> str:
        assert await Tide().aget("Emden") == "old"
        while (value := await Tide().aget("Emden")) == "old":
            await asyncio.sleep(0.01)
        return value

    assert asyncio.run(asyncio.wait_for(read(), 10)) == "tide at Emden"


@pytest.fixture
def eager(settings: Any, use_site: Callable[[Site], None]) -> None:
    """Celery runs tasks in place, as in many a site's tests."""
    settings.CACHEBACK_TASK_QUEUE = "celery"
    use_site(Site(cache="eager", backend="locmem"))
    current_app.conf.task_always_eager = True
    current_app.conf.task_eager_propagates = True


def test_eager_celery(eager: None) -> None:
    """With ``task_always_eager`` the value is renewed when ``get`` returns (section 2)."""
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "old"
    assert Tide().get("Emden") == "tide at Emden"
    make_stale(Tide(), "Husum")
    assert asyncio.run(Tide().aget("Husum")) == "old"
    assert Tide().get("Husum") == "tide at Husum"


def test_eager_celery_from_now_on(eager: None) -> None:
    """``task_always_eager`` counts as soon as a test sets it (section 2)."""
    for is_eager in (False, True, False, True):
        current_app.conf.task_always_eager = is_eager
        assert get_queue().takes_time is not is_eager


def test_eager_celery_and_failure(eager: None, caplog: pytest.LogCaptureFixture) -> None:
    """A fetch that fails in an eager task is a failed refresh, no queue that is down (J7, J10)."""
    job = Broken().using(on_dispatch_error="raise")
    make_stale(job)
    assert job.get() == "old"
    assert "Broken failed in the background: LookupError" in caplog.text
    assert "took no refresh" not in caplog.text
