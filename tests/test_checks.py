"""System checks, both sides of each."""

from typing import Any

import pytest
from django.core.checks import run_checks

REDIS = {"BACKEND": "cacheback_app.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}


def found() -> list[str | None]:
    return [message.id for message in run_checks(tags=["cacheback"])]


@pytest.mark.parametrize(
    ("cache", "queue", "expected"),
    [
        (LOCAL, "celery", ["cacheback.W001"]),
        (DUMMY, "celery", ["cacheback.W001"]),
        (REDIS, "celery", []),
        (LOCAL, "threads", []),
        (LOCAL, "sync", []),
        (REDIS, "carrier.pigeons", ["cacheback.E001"]),
    ],
)
def test_queue_and_cache(
    settings: Any, cache: dict[str, Any], queue: str, expected: list[str]
) -> None:
    """A queue in other processes needs a cache that they share; an unknown one is an error
    (section 7)."""
    settings.CACHES = {"default": cache}
    settings.CACHEBACK_TASK_QUEUE = queue
    assert found() == expected


def test_alias(settings: Any) -> None:
    """An alias that CACHES does not have is an error (section 7)."""
    settings.CACHEBACK_CACHE_ALIAS = "elsewhere"
    assert found() == ["cacheback.E002"]
