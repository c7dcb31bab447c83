"""``warm`` and ``refresh`` of many calls: side by side, with a progress bar."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from cacheback_app.catalogue import KnownCall
from cacheback_app.engine.status import HIT


@dataclass(slots=True)
class Tally:
    """What became of many calls."""

    fetched: int = 0
    fresh: int = 0
    """They were fresh, and left alone."""
    failed: int = 0
    errors: list[str] = field(default_factory=list)
    """The first of them, with type and key, but not the message, which may hold arguments."""

    MAX_ERRORS = 20

    def note(self, call: KnownCall, outcome: bool | Exception) -> None:
        """Count one call: fetched, fresh, or failed."""
        if isinstance(outcome, Exception):
            self.failed += 1
            if len(self.errors) < self.MAX_ERRORS:
                self.errors.append(f"{call.key}: {type(outcome).__name__}")
        elif outcome:
            self.fetched += 1
        else:
            self.fresh += 1


def fetch_all(
    calls: Iterable[KnownCall],
    *,
    workers: int,
    only_missing: bool,
    advance: Callable[[], None],
    tally: Tally,
) -> None:
    """Refresh ``calls`` in ``workers`` threads, and count in ``tally``.

    An error of one ends none of the others; an error of ``calls`` itself ends all. Ctrl-C lets
    what other threads have begun come to its end, and begins no more.

    :param only_missing: leave alone what is fresh.
    """
    errand = _Errand(iter(calls), only_missing, advance, tally)
    threads = [threading.Thread(target=errand.run) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    try:
        errand.work()
    finally:
        errand.is_over = True
        for thread in threads:
            thread.join()
    if errand.error is not None:
        raise errand.error


class _Errand:
    """The calls that several threads work off."""

    def __init__(
        self,
        calls: Iterator[KnownCall],
        only_missing: bool,
        advance: Callable[[], None],
        tally: Tally,
    ) -> None:
        self._calls = calls
        self._only_missing = only_missing
        self._advance = advance
        self._tally = tally
        self._lock = threading.Lock()
        self.is_over = False
        self.error: Exception | None = None

    def run(self) -> None:
        """Work in a thread with database connections of its own."""
        try:
            self.work()
        except Exception as exc:
            self.error, self.is_over = exc, True
        finally:
            connections.close_all()

    def work(self) -> None:
        """Work until there is nothing left."""
        while (call := self._next()) is not None:
            outcome = self._fetch(call)
            with self._lock:
                self._tally.note(call, outcome)
                self._advance()

    def _next(self) -> KnownCall | None:
        with self._lock:
            return None if self.is_over else next(self._calls, None)

    def _fetch(self, call: KnownCall) -> bool | Exception:
        try:
            if self._only_missing and call.explain().status == HIT:
                return False
            call.refresh()
        except Exception as exc:  # logged and counted where it was raised
            return exc
        return True


def number_of(calls: Any) -> int | None:
    """Return how many there are, where that can be told."""
    return len(calls) if hasattr(calls, "__len__") else None
