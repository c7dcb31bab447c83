"""What this process has to tell: a listener to the signals, and a reader of the tallies."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from django.dispatch import Signal

from cacheback_app import signals
from cacheback_app.conf import conf
from cacheback_app.engine.forks import in_child
from cacheback_app.engine.tallies import tallies

from .amounts import Batch, Failed, duration, merged

KEPT = 60
"""Minutes that are kept one by one; what is older is in the totals only."""

LATE = -1
"""The minute of what happened longer ago than that and was not shared yet."""

LONGEST_TRACEBACK = 4000
"""Characters. Its end tells most."""


class Collector:
    """Sums up what happens in this process: since it began, and what is not shared yet."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = _do_nothing
        self._reset()
        in_child(self._reset)

    def _reset(self) -> None:
        # What was collected before a fork is the parent's to share.
        self._lock = threading.Lock()
        self._new: dict[int, Batch] = {}
        self._taken = Batch()
        self._returned: dict[int, Batch] = {}

    def connect(self) -> None:
        """Listen to the signals; once is enough, and twice is no more."""
        for signal, receiver in _RECEIVERS.items():
            signal.connect(
                _bound(self, receiver), weak=False, dispatch_uid=("stats", receiver.__name__)
            )

    def count(
        self,
        job: str,
        amounts: Mapping[str, float],
        failure: Failed | None = None,
    ) -> None:
        """Add what just happened to ``job``."""
        self._count(job, amounts, None, failure)
        self.on_change()

    def take(self) -> dict[int, Batch]:
        """Return what is not shared yet, by minute, and forget it."""
        self._count_reads()
        with self._lock:
            new, self._new = self._new, {}
            returned, self._returned = self._returned, {}
            for batch in new.values():
                self._taken.merge(batch)
        return _joined(returned, new) if conf.stats else {}

    def give_back(self, taken: Mapping[int, Batch]) -> None:
        """Keep what could not be shared: an hour of it by the minute, the rest as one."""
        with self._lock:
            returned = _joined(taken, self._returned)
            oldest = this_minute() - KEPT
            late = [returned.pop(minute) for minute in list(returned) if minute <= oldest]
            self._returned = {**returned, LATE: merged(late)} if late else returned

    def pending(self) -> dict[int, Batch]:
        """Return a copy of what is not shared yet, by minute."""
        self._count_reads()
        with self._lock:
            return _joined(self._returned, self._new) if conf.stats else {}

    def ever(self) -> Batch:
        """Return a copy of all that happened since the process began."""
        self._count_reads()
        with self._lock:
            return merged([self._taken, *self._new.values()])

    def _count_reads(self) -> None:
        for job, counted in tallies.take().items():
            numbers = counted._asdict()
            oldest = numbers.pop("oldest")
            self._count(job, {name: number for name, number in numbers.items() if number}, oldest)

    def _count(self, job: str, *what: Any) -> None:
        minute = this_minute() if conf.stats else LATE
        with self._lock:
            if minute not in self._new:
                self._new[minute] = Batch()
            self._new[minute].count(job, *what)


def _joined(*parts: Mapping[int, Batch]) -> dict[int, Batch]:
    """Return the sums of several by minute; none of them is changed."""
    minutes = {minute for part in parts for minute in part}
    return {n: merged(part[n] for part in parts if n in part) for n in minutes}


def this_minute() -> int:
    """Return the minutes since the epoch."""
    return int(time.time() // 60)


def _do_nothing() -> None:
    """Nobody shares what is collected."""


def _bound(collector: Collector, receiver: Callable[..., None]) -> Callable[..., None]:
    def receive(job: str, **details: Any) -> None:
        receiver(collector, job, **details)

    return receive


def _dispatch_failed(collector: Collector, job: str, **_: Any) -> None:
    collector.count(job, {"dispatch_failures": 1})


def _dropped(collector: Collector, job: str, **_: Any) -> None:
    collector.count(job, {"dropped": 1})


def _skipped(collector: Collector, job: str, reason: str, **_: Any) -> None:
    collector.count(job, {f"skipped:{reason}": 1})


def _succeeded(
    collector: Collector, job: str, duration: float, lag: float | None, **_: Any
) -> None:
    lagged = {} if lag is None else _observed("lag", lag)
    collector.count(job, {"refreshes": 1, **_observed("fetch", duration), **lagged})


def _failed(
    collector: Collector, job: str, key: str, duration: float, exception: Exception, **_: Any
) -> None:
    failure = (time.time(), key, _name(exception), _formatted(exception))
    amounts = {"failures": 1, **_observed("fetch", duration)}
    collector.count(job, amounts, failure=failure)


_observed = duration  # a name that the signals' own "duration" does not hide

_RECEIVERS: dict[Signal, Callable[..., None]] = {
    signals.dispatch_failed: _dispatch_failed,
    signals.refresh_dropped: _dropped,
    signals.refresh_skipped: _skipped,
    signals.refresh_succeeded: _succeeded,
    signals.refresh_failed: _failed,
}


def _name(exc: BaseException) -> str:
    kind = type(exc)
    is_built_in = kind.__module__ == "builtins"
    return kind.__qualname__ if is_built_in else f"{kind.__module__}.{kind.__qualname__}"


def _formatted(exc: BaseException) -> str:
    text = "".join(traceback.format_exception(exc, limit=-30))
    return text if len(text) <= LONGEST_TRACEBACK else f"...\n{text[-LONGEST_TRACEBACK:]}"


collector = Collector()
"""That of this process."""
