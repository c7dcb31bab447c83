"""Talking to a broker off the request's path.

A healthy broker takes a fraction of a millisecond, a cold one 50 ms, a dead one seconds. So one
background thread talks to it. While the broker answers, callers hand over and go on; at first,
and after a failure, they wait for the outcome, but never longer than :data:`PATIENCE`.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from cacheback_app.exceptions import QueueError

from .base import BaseQueue
from .call import RefreshCall
from .pool import BoundedPool

PATIENCE = 0.25
"""Seconds that a caller waits for a broker of which it does not know that it answers."""

RETRY_AFTER = 5.0
"""Seconds for which a broker that failed is left alone, so that a page with forty stale values
loses a quarter of a second to an outage, not ten."""


class Handoff:
    """The publisher of this process."""

    def __init__(self) -> None:
        self._pool = BoundedPool(
            threads=1, backlog=1000, drain_timeout=2.0, name="cacheback-publish"
        )
        self.reset()
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """Forget what is known of the broker."""
        self._answers = False
        self._busy_since: float | None = None
        self._down_until = 0.0

    def send(self, queue: BaseQueue, call: RefreshCall) -> None:
        """Publish ``call`` in the background.

        :raises QueueError: when the broker is down, or does not answer in time.
        """
        if time.monotonic() < self._down_until:
            raise QueueError("it failed a moment ago")
        is_trusted = self._answers and not self._is_stuck()
        outcome: Future[None] = Future()
        if not self._pool.submit(lambda: self._publish(queue, call, outcome, is_trusted)):
            raise QueueError("too many messages wait to be sent")
        if not is_trusted:
            self._await(outcome)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything was handed to the broker; return whether it was."""
        return self._pool.drain(timeout)

    def _is_stuck(self) -> bool:
        since = self._busy_since
        return since is not None and time.monotonic() - since > PATIENCE

    def _await(self, outcome: Future[None]) -> None:
        try:
            outcome.result(PATIENCE)
        except FutureTimeoutError as exc:
            self._fail()
            raise QueueError(f"it did not answer within {PATIENCE} s") from exc
        except QueueError:
            raise
        except Exception as exc:
            raise QueueError(f"{type(exc).__name__}: {exc}") from exc

    def _publish(
        self, queue: BaseQueue, call: RefreshCall, outcome: Future[None], is_trusted: bool
    ) -> None:
        self._busy_since = time.monotonic()
        try:
            queue.enqueue(call)
        except Exception as exc:
            self._fail()
            outcome.set_exception(exc)
            if is_trusted:  # the caller has gone on; do for it what it would have done
                call.not_sent(queue, exc)
        else:
            self._answers, self._down_until = True, 0.0
            outcome.set_result(None)
        finally:
            self._busy_since = None

    def _fail(self) -> None:
        self._answers = False
        self._down_until = time.monotonic() + RETRY_AFTER


handoff = Handoff()
