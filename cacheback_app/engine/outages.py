"""What happens when the cache backend fails: a miss, and one line in the log now and then."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured

from cacheback_app import signals
from cacheback_app.conf import conf, on_change
from cacheback_app.exceptions import CacheUnavailable, UnstorableValue

from .forks import watch
from .state import State

logger = logging.getLogger("cacheback")

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
DRIVERS = {"redis", "django_redis", "pymemcache", "pylibmc"}
MISCONFIGURED = (ImproperlyConfigured, InvalidCacheBackendError)


class RateLimitedLog:
    """One warning per subject and interval, however often something goes wrong."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        self._next: dict[str, float] = {}
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share: a thread may hold it that the child doesn't have."""
        self._lock = threading.Lock()

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
on_change(log.reset, "CACHES", "CACHEBACK_TASK_QUEUE")


def report_unstorable(what: str, exc: UnstorableValue) -> None:
    """Log that a value cannot be stored. The error's message tells of the value: DEBUG only."""
    log.warning(what, "%s (%s)", what, type(exc.__cause__ or exc).__name__)
    logger.debug(what, exc_info=exc)


def guarded(alias: str, do: Callable[[], T]) -> T:
    """Return ``do()``; a failing backend is :exc:`CacheUnavailable`.

    With ``CACHEBACK_IGNORE_CACHE_ERRORS = False`` the backend's own error is raised instead.
    A configuration that cannot work is never taken for an outage.
    """
    try:
        return do()
    except UnstorableValue:
        raise
    except Exception as exc:
        handle(alias, exc)
        raise CacheUnavailable(f"the cache {alias!r} failed: {type(exc).__name__}") from exc


def handle(alias: str, exc: Exception) -> None:
    """Report that the cache ``alias`` failed, or raise ``exc`` when it is not to be ignored."""
    if isinstance(exc, MISCONFIGURED) or not conf.ignore_cache_errors:
        raise exc
    report(alias, exc)


def read(alias: str, state: State, keys: Sequence[str]) -> dict[str, Any]:
    """Return what is stored at ``keys``, without what is missing or can't be decoded.

    :raises CacheUnavailable: as :func:`guarded` does.
    """
    return guarded(alias, lambda: _values(state, keys))


def _values(state: State, keys: Sequence[str]) -> dict[str, Any]:
    if len(keys) > 1:
        try:
            return state.get_many(keys)
        except Exception as exc:
            if is_outage(state, exc):
                raise
    # There is but one, or one of them cannot be decoded and there is no telling which.
    return {key: _value(state, key) for key in keys}


def _value(state: State, key: str) -> Any:
    try:
        return state.get(key)
    except Exception as exc:
        if is_outage(state, exc):
            raise
        return None


def is_outage(state: State, exc: Exception) -> bool:
    """Return whether ``exc``, raised by a read, means that the cache failed.

    Otherwise what was read could not be decoded, and that may raise anything. A backend that
    answers another question at that moment has not failed.
    """
    if isinstance(exc, UNDECODABLE):
        return False
    if isinstance(exc, OSError) or type(exc).__module__.partition(".")[0] in DRIVERS:
        return True
    try:
        state.get("cacheback.probe")
    except Exception:
        return True
    return False


def report(alias: str, exc: Exception) -> None:
    """Signal that the cache ``alias`` failed, and log it once per interval."""
    signals.cache_failed.send_robust(sender=None, alias=alias, exception=exc)
    log.warning(alias, "The cache %r failed (%s); going on without it", alias, type(exc).__name__)
    logger.debug("The cache %r failed", alias, exc_info=exc)


@contextmanager
def told() -> Iterator[None]:
    """Tell whoever acts on a cache by hand of what readers are spared.

    :raises CacheUnavailable: at the end of a block in which, in this thread, a cache failed.
    """
    here, failed = threading.get_ident(), []

    def receive(alias: str, exception: Exception, **details: object) -> None:
        if threading.get_ident() == here:
            failed.append((alias, exception))

    signals.cache_failed.connect(receive, weak=False)
    try:
        yield
    finally:
        signals.cache_failed.disconnect(receive)
    for alias, exc in failed:
        raise CacheUnavailable(f"the cache {alias!r} failed: {type(exc).__name__}") from exc
