"""The thread that shares this process's figures every few seconds, while there are any."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading

from django.db import close_old_connections

from cacheback_app.conf import conf, on_change
from cacheback_app.durations import seconds
from cacheback_app.engine.forks import in_child
from cacheback_app.engine.tallies import tallies

from .collecting import collector
from .sharing import flush

IDLE_ROUNDS = 12
"""Intervals without anything to share, after which the thread ends; the next read starts one."""

EXIT_PATIENCE = 2.0
"""Seconds that the end of a process waits for its last figures, should the cache hang."""


def is_test_run() -> bool:
    """Return whether Django's test environment is set up.

    Then nothing is shared but by ``stats.flush()``: with a cache in the database, a thread's
    connection would keep the test database from being dropped, and the end of the process, when
    that is gone, would write the tests' figures to the site's own.
    """
    # Nothing public tells: an outbox for mail is there with the locmem backend, too.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")


class Flusher:
    """At most one daemon thread per process. A forked child starts its own, at its first read."""

    def __init__(self) -> None:
        self._reset()
        in_child(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._is_last = False

    def connect(self) -> None:
        """Begin to work."""
        tallies.on_wake = collector.on_change = self.wake
        atexit.register(self.finish)
        on_change(self.stop, "CACHEBACK_STATS", "CACHEBACK_STATS_INTERVAL", "CACHES")

    def wake(self) -> None:
        """See to it that there is a thread, unless tests run. Cheap when there is one."""
        if self._ended is None and conf.stats and not is_test_run():
            with self._lock:
                self._start()

    def _start(self) -> None:
        if self._ended is not None:  # another thread was faster
            return
        ended = threading.Event()
        thread = threading.Thread(
            target=self._run, args=(ended,), name="cacheback-stats", daemon=True
        )
        with contextlib.suppress(RuntimeError):  # the interpreter may be on its way out
            thread.start()
            self._ended, self._thread = ended, thread

    def stop(self) -> None:
        """End the thread; the next read starts another."""
        with self._lock:
            ended, self._ended = self._ended, None
        if ended is not None:
            ended.set()
        tallies.sleep()

    def finish(self) -> None:
        """Share what is left, as the process ends; give up when the cache hangs."""
        # By the thread that is there: no new one may start at the end of an interpreter.
        with self._lock:
            ended, thread = self._ended, self._thread
        if ended is not None and thread is not None:
            self._is_last = True
            ended.set()
            thread.join(EXIT_PATIENCE)

    def _run(self, ended: threading.Event) -> None:
        idle = 0
        while idle < IDLE_ROUNDS:
            if ended.wait(max(0.05, seconds(conf.stats_interval))):
                if self._is_last and not is_test_run():
                    self._flush()
                return
            if is_test_run():  # it began since a module was imported that reads a job
                break
            idle = 0 if self._flush() else idle + 1
        with self._lock:
            if self._ended is not ended:
                return
            self._ended = None
        tallies.sleep()
        # A read that still found the thread, and came after its last look, has wakened nobody.
        if not is_test_run() and self._flush():
            self.wake()

    def _flush(self) -> bool:
        try:
            return flush()
        finally:
            close_old_connections()  # a cache in the database


flusher = Flusher()
