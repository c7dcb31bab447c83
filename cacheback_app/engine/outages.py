"""What happens when the cache backend fails: a miss, and one line in the log now and then."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured

from cacheback_app import signals
from cacheback_app.conf import conf
from cacheback_app.exceptions import CacheUnavailable

logger = logging.getLogger("cacheback")

K = TypeVar("K")
T = TypeVar("T")

# What unpickling foreign or outdated bytes raises. No driver reports an outage with these.
UNDECODABLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)
MISCONFIGURED = (ImproperlyConfigured, InvalidCacheBackendError)


class RateLimitedLog:
    """One warning per subject and interval, however often something goes wrong."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def warning(self, subject: str, message: str, *args: object) -> None:
        """Log ``message`` unless ``subject`` was logged less than an interval ago."""
        now = time.monotonic()
        with self._lock:
            if now < self._next.get(subject, 0.0):
                return
            self._next[subject] = now + self._interval
        logger.warning(message, *args)

    def reset(self) -> None:
        """Forget what was logged."""
        with self._lock:
            self._next.clear()


log = RateLimitedLog()


def guarded(alias: str, do: Callable[[], T]) -> T:
    """Return ``do()``; a failing backend is :exc:`CacheUnavailable`.

    With ``CACHEBACK_IGNORE_CACHE_ERRORS = False`` the backend's own error is raised instead.
    A configuration that cannot work is never taken for an outage.
    """
    try:
        return do()
    except Exception as exc:
        handle(alias, exc)
        raise CacheUnavailable(f"the cache {alias!r} failed: {type(exc).__name__}") from exc


def handle(alias: str, exc: Exception) -> None:
    """Report that the cache ``alias`` failed, or raise ``exc`` when it is not to be ignored."""
    if isinstance(exc, MISCONFIGURED) or not conf.ignore_cache_errors:
        raise exc
    report(alias, exc)


def read(alias: str, get: Callable[[K], T], key: K) -> T | None:
    """Return what ``get(key)`` does; None when that can't be decoded.

    :raises CacheUnavailable: as :func:`guarded` does.
    """
    return guarded(alias, lambda: _decoded(get, key))


def _decoded(get: Callable[[K], T], key: K) -> T | None:
    try:
        return get(key)
    except UNDECODABLE:
        return None


def report(alias: str, exc: Exception) -> None:
    """Signal that the cache ``alias`` failed, and log it once per interval."""
    signals.cache_failed.send(sender=None, alias=alias, exception=exc)
    log.warning(alias, "The cache %r failed (%s); going on without it", alias, type(exc).__name__)
    logger.debug("The cache %r failed", alias, exc_info=exc)
