"""Whether there is a cache, and whether it keeps anything."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Warning

from cacheback_app.conf import conf


def check() -> Iterator[CheckMessage]:
    """Check the default alias of jobs."""
    if conf.cache_alias not in caches:
        yield Error(
            f"CACHEBACK_CACHE_ALIAS is {conf.cache_alias!r}, which CACHES does not have.",
            hint="Add the alias to CACHES, or name another.",
            id="cacheback.E002",
        )
    elif backend(conf.cache_alias).endswith("DummyCache"):
        yield Warning(
            f"The cache {conf.cache_alias!r} keeps nothing: every read is a miss, and fetches.",
            hint="Use another backend, or CACHEBACK_ENABLED = False if that is what you want.",
            id="cacheback.W002",
        )


def backend(alias: str) -> str:
    """Return the dotted path of a cache's backend."""
    return str(caches.settings[alias].get("BACKEND", ""))


def is_local_memory(alias: str) -> bool:
    """Return whether a cache is the memory of one process; False for an alias there is not."""
    return alias in caches and backend(alias).endswith("LocMemCache")
