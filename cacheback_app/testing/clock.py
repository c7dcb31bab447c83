"""A clock that stands still until a test moves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.near import near


class Clock:
    """The wall clock of this process within :func:`fake_clock`."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        """The time that it shows, in UTC."""
        return datetime.now(UTC)

    def time(self) -> float:
        """Return the Unix timestamp that it shows."""
        return time.time()

    def advance(self, duration: Duration) -> None:
        """Move it on by seconds, a ``timedelta``, or text like "5m"; delayed tasks that are due
        then arrive before this returns.

        :raises ValueError: for text that is no duration, or a negative one.
        """
        self._traveller.shift(seconds(duration))
        for listener in _listeners:
            listener()


_listeners: list[Callable[[], None]] = []


@contextmanager
def on_advance(listener: Callable[[], None]) -> Iterator[None]:
    """Have ``listener`` called whenever a clock was moved within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def fake_clock(start: datetime | float | None = None, *, tick: bool = False) -> Iterator[Clock]:
    """Make ``time.time()``, ``datetime.now()`` and the like of this process show a time that the
    test moves, within the block. Timeouts and pauses (``time.monotonic``) are left alone.

    A server's clock cannot be moved: see docs/testing.md for what holds with Redis.

    :param start: an aware ``datetime`` or a Unix timestamp; None is now.
    :param tick: whether time passes by itself, too.
    :raises ImproperlyConfigured: without time-machine.
    """
    try:
        import time_machine
    except ImportError as exc:
        raise ImproperlyConfigured(
            "fake_clock() needs time-machine: pip install cacheback-app[testing]"
        ) from exc
    # A timestamp, because time-machine takes an aware datetime for a move to its time zone.
    began = start.timestamp() if isinstance(start, datetime) else (start or time.time())
    try:
        with time_machine.travel(began, tick=tick) as traveller:
            yield Clock(traveller)
    finally:
        near.clear()  # its deadlines may lie hours ahead of the time that it is now
