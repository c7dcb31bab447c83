"""Fixtures of the tests of jobs and of the engine below them."""

from collections.abc import Iterator
from typing import Any

import pytest

from cacheback_app.testing import Clock, fake_clock
from cacheback_app.testing.plugin import cacheback_refreshes  # noqa: F401 - found by being here
from tests.jobs.support import CaptureQueue, HangingQueue, captured, path_of

ATOMIC = ["default", "redis", "own", "django_redis"]


@pytest.fixture
def capture(settings: Any) -> CaptureQueue:
    """The queue of this test: it keeps what is sent."""
    settings.CACHEBACK_TASK_QUEUE = path_of(CaptureQueue)
    queue = captured()
    queue.sent.clear()
    return queue


@pytest.fixture
def hanging(settings: Any) -> Iterator[HangingQueue]:
    """The queue of this test: sending hangs until the test ends."""
    from cacheback_app.queues import get_queue

    settings.CACHEBACK_TASK_QUEUE = path_of(HangingQueue)
    queue = get_queue()
    assert isinstance(queue, HangingQueue)
    queue.release.clear()
    yield queue
    queue.release.set()


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The wall clock, to be moved; it goes on by itself, too."""
    with fake_clock(tick=True) as moved:
        yield moved


@pytest.fixture(params=ATOMIC)
def alias(request: pytest.FixtureRequest, settings: Any) -> str:
    """Each cache that has an atomic primitive, and no other in ``CACHES``."""
    alias: str = request.param
    if alias != "default":
        request.getfixturevalue("redis_url")
    settings.CACHES = {"default": settings.CACHES["default"], alias: settings.CACHES[alias]}
    return alias


@pytest.fixture
def only_local(settings: Any) -> None:
    """Nothing but local memory in ``CACHES``."""
    settings.CACHES = {"default": settings.CACHES["default"]}
