"""System checks: what is configured in a way that cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from .conf import conf
from .queues import get_queue


@register("cacheback")
def check_queue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with ``CACHEBACK_TASK_QUEUE`` and the cache that workers share."""
    return list(_problems())


def _problems() -> Iterator[CheckMessage]:
    if conf.cache_alias not in caches:
        yield Error(
            f"CACHEBACK_CACHE_ALIAS is {conf.cache_alias!r}, which CACHES does not have.",
            hint="Add the alias to CACHES, or name another.",
            id="cacheback.E002",
        )
        return
    try:
        queue = get_queue()
    except ImproperlyConfigured as exc:
        yield Error(str(exc), hint="See docs/queues.md for the names.", id="cacheback.E001")
        return
    backend = str(caches.settings[conf.cache_alias].get("BACKEND", ""))
    if not queue.in_process and backend.endswith(("LocMemCache", "DummyCache")):
        yield Warning(
            f"The queue {queue.name!r} refreshes in other processes, which do not see the cache"
            f" {conf.cache_alias!r}: its values will never be renewed.",
            hint="Use a cache that processes share, or CACHEBACK_TASK_QUEUE = 'threads'.",
            id="cacheback.W001",
        )
