"""Where refreshes run while a test runs: in place, or not at all because nothing is cached."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cacheback_app.queues.base import layers
from cacheback_app.queues.sync import SyncQueue

if TYPE_CHECKING:
    from django.test import override_settings


def sync_refresh() -> AbstractContextManager[None]:
    """Run refreshes in place within the block: in the caller's thread, before its call returns.

    They see the transaction of a ``TestCase``. A failing fetch is reported as a worker's is, and
    the caller gets the stale value.
    """
    return layers.added(lambda _, queue: SyncQueue())


def disabled() -> override_settings:
    """Call through within the block: every ``get`` fetches, and nothing is stored.

    It is Django's ``override_settings(CACHEBACK_ENABLED=False)`` and so decorates tests and test
    classes, too.
    """
    from django.test import override_settings  # loads much that only tests need

    return override_settings(CACHEBACK_ENABLED=False)
