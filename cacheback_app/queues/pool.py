"""A bounded pool of daemon threads.

Not ``concurrent.futures``: its backlog has no bound, and at exit it waits for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from cacheback_app.engine.forks import in_child

logger = logging.getLogger("cacheback")

Task = Callable[[], object]


class BoundedPool:
    """Runs tasks in ``threads`` threads that start with the first task.

    :param backlog: tasks that may wait; more are refused.
    :param drain_timeout: seconds that the process's exit waits for them at most.
    """

    def __init__(self, *, threads: int, backlog: int, drain_timeout: float, name: str) -> None:
        self._limit = threads
        self._backlog = backlog
        self._name = name
        self.drain_timeout = drain_timeout
        self.dropped = 0
        self._reset()
        in_child(self._reset)
        # Before concurrent.futures closes shop, which fetches may use (async ones do), and which
        # it does before atexit's turn.
        getattr(threading, "_register_atexit", atexit.register)(self._drain_at_exit)

    def _reset(self) -> None:
        # A forked child has the parent's backlog, but none of its threads.
        self._lock = threading.Lock()
        self._tasks: queue.Queue[Task] = queue.Queue(self._backlog)
        self._threads: list[threading.Thread] = []

    def submit(self, task: Task) -> bool:
        """Have ``task`` run; return False when the backlog is full."""
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self.dropped += 1
            return False
        self._start_thread()
        return True

    def drain(self, timeout: float) -> bool:
        """Wait until all tasks are done; return False when that took too long."""
        deadline = time.monotonic() + timeout
        with self._tasks.all_tasks_done:
            while self._tasks.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._tasks.all_tasks_done.wait(left)
        return True

    def renew(self) -> None:
        """Leave threads that hang to themselves, and what waits for them to new ones."""
        waiting = self._tasks
        self._reset()
        with contextlib.suppress(queue.Empty):
            while self.submit(waiting.get_nowait()):
                waiting.task_done()

    def _start_thread(self) -> None:
        with self._lock:
            if len(self._threads) >= min(self._limit, self._tasks.unfinished_tasks):
                return
            name = f"{self._name}-{len(self._threads)}"
            thread = threading.Thread(
                target=self._work, args=(self._tasks,), name=name, daemon=True
            )
            try:
                thread.start()
            except RuntimeError as exc:  # the system has no more; the next task asks again
                logger.error("No thread %s: %s", name, exc)
                return
            self._threads.append(thread)

    def _work(self, tasks: queue.Queue[Task]) -> None:
        while tasks is self._tasks:
            task = tasks.get()
            try:
                task()
            except BaseException as exc:
                # The message of an error may hold arguments.
                logger.error("A background task raised %s", type(exc).__name__)
                logger.debug("A background task raised", exc_info=exc)
            finally:
                del task
                tasks.task_done()

    def _drain_at_exit(self) -> None:
        if not self.drain(self.drain_timeout):
            logger.warning("%d tasks were left undone at exit", self._tasks.unfinished_tasks)
