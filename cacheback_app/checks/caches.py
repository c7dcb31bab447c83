"""Whether there is a cache, whether it keeps anything, and whether workers see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.conf import conf
from cacheback_app.queues import get_queue


def check(alias: str, named_by: str, obj: Any = None) -> Iterator[CheckMessage]:
    """Check the cache ``alias``.

    :param named_by: the setting, or the job's option, that names it.
    :param obj: the job, if it is a job's own.
    """
    if alias not in caches:
        yield Error(
            f"{named_by} is {alias!r}, which CACHES does not have.",
            hint="Add the alias to CACHES, or name another.",
            obj=obj,
            id="cacheback.E002",
        )
    elif not conf.enabled:
        return  # then nothing is kept anywhere
    elif _backend(alias).endswith("DummyCache"):
        yield Warning(
            f"The cache {alias!r} keeps nothing: every read is a miss, and fetches.",
            hint="Use another backend, or CACHEBACK_ENABLED = False if that is what you want.",
            obj=obj,
            id="cacheback.W002",
        )
    elif is_local_memory(alias) and not _refreshes_here():
        yield Warning(
            f"The queue {conf.task_queue!r} refreshes in other processes, which do not see the"
            f" cache {alias!r}: its values will never be renewed.",
            hint="Use a cache that processes share, or CACHEBACK_TASK_QUEUE = 'threads'.",
            obj=obj,
            id="cacheback.W001",
        )


def is_local_memory(alias: str) -> bool:
    """Return whether a cache is the memory of one process; False for an alias there is not."""
    return alias in caches and _backend(alias).endswith("LocMemCache")


def _backend(alias: str) -> str:
    return str(caches.settings[alias].get("BACKEND", ""))


def _refreshes_here() -> bool:
    try:
        return get_queue().in_process
    except ImproperlyConfigured:
        return True  # E001 tells of it
