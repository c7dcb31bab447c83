"""Fixtures of the tests of ``cacheback_app.testing``."""

from collections.abc import Iterator
from typing import Any

import pytest

from cacheback_app.testing.plugin import (  # noqa: F401 - fixtures are found by being here
    cacheback_clock,
    cacheback_disabled,
    cacheback_faults,
    cacheback_refreshes,
    cacheback_sync_refresh,
)
from tests.testing import jobs

QUEUES = ["celery", "rq", "django_tasks", "threads", "sync", "tests.testing.queues.Refusing"]
CACHES = ["default", "redis", "own", "django_redis", "file"]


@pytest.fixture(autouse=True)
def fetched() -> Iterator[list[Any]]:
    """What was fetched in this test."""
    jobs.fetched.clear()
    yield jobs.fetched
    jobs.fetched.clear()


@pytest.fixture(params=QUEUES)
def queue(request: pytest.FixtureRequest, settings: Any) -> str:
    """The configured queue: each kind. None of them is ever reached."""
    settings.CACHEBACK_TASK_QUEUE = request.param
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    return str(request.param)


@pytest.fixture(params=CACHES)
def alias(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """Each kind of cache, as the only one of the site."""
    if request.param not in ("default", "file"):
        request.getfixturevalue("redis_url")
    settings.CACHES = {"default": settings.CACHES[request.param]}
    yield "default"
    from django.core.cache import caches

    caches["default"].clear()
