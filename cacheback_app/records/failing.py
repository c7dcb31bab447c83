"""A cache of records that cannot be read or written costs no answer of the server's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from cacheback_app import signals
from cacheback_app.conf import conf
from cacheback_app.engine.outages import log

if TYPE_CHECKING:
    from .base import RecordCache
    from .endpoint import CachedEndpoint

logger = logging.getLogger("cacheback")


def bear(endpoint: CachedEndpoint[Any], cache: RecordCache[Any], exc: Exception) -> Exception:
    """Report that ``cache`` failed, and return ``exc``; raise it when it is something else, or when
    ``CACHEBACK_IGNORE_CACHE_ERRORS`` is False."""
    if not (cache.is_failure(exc) and _may_ignore()):
        raise exc
    name, path = type(endpoint).__qualname__, str(cache.cache_path)
    signals.records_failed.send_robust(type(endpoint), path=path, exception=exc)
    message = "The records of %s cannot be kept (%s); the server is asked instead"
    log.warning(f"records {path}", message, name, type(exc).__name__)
    logger.debug("%s failed", path, exc_info=exc)
    return exc


def _may_ignore() -> bool:
    try:
        return conf.ignore_cache_errors
    except ImproperlyConfigured:  # records need no site
        return True
