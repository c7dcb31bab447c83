"""Where the last answer of an endpoint came from, for each thread and task."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from weakref import WeakKeyDictionary


class Source(Enum):
    """Where an answer comes from."""

    NETWORK = "network"
    CACHE = "cache"
    NOT_MODIFIED = "not-modified"
    """From the cache, as the server said that nothing has changed."""
    STALE = "stale"
    """From the cache, where it has expired, as the server failed."""


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """Where an answer came from.

    :ivar source: the network, or the cache and why.
    :ivar fetched_at: when the server gave or confirmed it.
    :ivar error: how the server failed, when the answer is stale.
    :ivar cache_error: how the cache failed that was to keep it, and so is behind the server.
    """

    source: Source
    fetched_at: datetime
    error: Exception | None = None
    cache_error: Exception | None = None

    @classmethod
    def at(cls, source: Source, timestamp: float, error: Exception | None = None) -> LastAnswer:
        """Return what is told of an answer of the Unix time ``timestamp``."""
        return cls(source, datetime.fromtimestamp(timestamp, UTC), error)

    @classmethod
    def now(cls, source: Source, cache_error: Exception | None = None) -> LastAnswer:
        """Return what is told of an answer of this moment."""
        return cls(source, datetime.now(UTC), cache_error=cache_error)


# One variable for all endpoints: a context keeps each variable for as long as it lives.
_told: ContextVar[WeakKeyDictionary[object, LastAnswer]] = ContextVar("cacheback_last_answers")


def tell(endpoint: object, answer: LastAnswer) -> None:
    """Remember ``answer`` as the last of ``endpoint`` in this thread or task."""
    told = WeakKeyDictionary(_told.get(None) or {})  # a copy: other tasks have this one, too
    told[endpoint] = answer
    _told.set(told)


def last_answer(endpoint: object) -> LastAnswer | None:
    """Return the last answer of ``endpoint`` in this thread or task, None before the first."""
    told = _told.get(None)
    return None if told is None else told.get(endpoint)
