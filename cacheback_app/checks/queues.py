"""Whether there is a queue."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.queues import get_queue


def check() -> Iterator[CheckMessage]:
    """Check ``CACHEBACK_TASK_QUEUE``."""
    try:
        get_queue()
    except ImproperlyConfigured as exc:
        yield Error(str(exc), hint="See docs/queues.md for the names.", id="cacheback.E001")
