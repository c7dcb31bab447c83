"""Whether there is a queue, and whether its workers see the cache."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.conf import conf
from cacheback_app.queues import get_queue

from .caches import is_local_memory


def check() -> Iterator[CheckMessage]:
    """Check ``CACHEBACK_TASK_QUEUE``."""
    try:
        queue = get_queue()
    except ImproperlyConfigured as exc:
        yield Error(str(exc), hint="See docs/queues.md for the names.", id="cacheback.E001")
        return
    if not queue.in_process and is_local_memory(conf.cache_alias):
        yield Warning(
            f"The queue {queue.name!r} refreshes in other processes, which do not see the cache"
            f" {conf.cache_alias!r}: its values will never be renewed.",
            hint="Use a cache that processes share, or CACHEBACK_TASK_QUEUE = 'threads'.",
            id="cacheback.W001",
        )
