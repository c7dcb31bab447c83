"""Talking to a broker off the request's path.

A healthy broker takes a fraction of a millisecond, a cold one 50 ms, a dead one seconds. So one
background thread talks to it. While the broker answers, callers hand over and go on; at first,
and after a failure, they wait for the outcome, but never longer than :data:`PATIENCE`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from django.db import close_old_connections

from cacheback_app.engine.forks import in_child
from cacheback_app.exceptions import QueueError

from .base import BaseQueue
from .call import RefreshCall
from .pool import BoundedPool

PATIENCE = 0.2
"""Seconds that a caller waits for a broker of which it does not know that it answers: with what
else it has to do, it loses less than a quarter of a second."""

LULL = 0.003
LONGEST_WAIT = 0.1
"""Making a message is Python, and would take the interpreter from the request that has just gone
on. So the publisher waits until no message was handed over for a moment, but not for long."""

RETRY_AFTER = 5.0
"""Seconds for which a broker that failed is left alone, so that a page with forty stale values
loses a quarter of a second to an outage, not ten."""


@dataclass(eq=False, slots=True)
class _Sending:
    """One message on its way to the broker."""

    queue: BaseQueue
    call: RefreshCall
    enqueue: Callable[[], None]
    handed_over: float
    outcome: Future[None] | None
    """For a caller that waits; others have gone on, as the broker answers."""
    since: float = math.inf
    """Monotonic time at which the broker was first spoken to."""


class Handoff:
    """The publisher of this process."""

    def __init__(self) -> None:
        self._pool = BoundedPool(
            threads=1, backlog=1000, drain_timeout=2.0, name="cacheback-publish"
        )
        self.reset()
        in_child(self.reset)

    def reset(self) -> None:
        """Forget what is known of the broker."""
        self._answers = False
        self._sending: _Sending | None = None
        self._down_until = 0.0
        self._last_handed_over = 0.0

    def send(self, queue: BaseQueue, call: RefreshCall) -> None:
        """Publish ``call`` in the background.

        :raises QueueError: when the broker is down, or does not answer in time.
        """
        if time.monotonic() < self._down_until:
            raise QueueError("it failed a moment ago")
        if self._hangs_for(RETRY_AFTER):
            # A connection that died without a word: a timeout may take hours, or never come.
            self._pool.renew()
            self._sending = None
        is_trusted = self._answers and not self._hangs_for(PATIENCE)
        now = self._last_handed_over = time.monotonic()
        sending = _Sending(queue, call, queue.bind(call), now, None if is_trusted else Future())
        if not self._pool.submit(lambda: self._publish(sending)):
            raise QueueError("too many messages wait to be sent")
        if sending.outcome is not None:
            self._await(sending.outcome)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything was handed to the broker; return whether it was."""
        return self._pool.drain(timeout)

    def _hangs_for(self, seconds: float) -> bool:
        sending = self._sending
        return sending is not None and time.monotonic() - sending.since > seconds

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

    def _publish(self, sending: _Sending) -> None:
        if sending.outcome is None:
            self._wait_for_lull(sending)
        self._sending = sending
        sending.since = time.monotonic()
        try:
            sending.enqueue()
        except Exception as exc:
            if self._sending is sending:  # or a hung one was given up, and another speaks by now
                self._fail()
            if sending.outcome is None:  # do for the caller what it would have done itself
                sending.call.not_sent(sending.queue, exc)
            else:
                sending.outcome.set_exception(exc)
        else:
            self._answers, self._down_until = True, 0.0
            if sending.outcome is not None:
                sending.outcome.set_result(None)
        finally:
            if self._sending is sending:
                self._sending = None
            close_old_connections()  # a queue or a fallback may have opened some

    def _wait_for_lull(self, sending: _Sending) -> None:
        while (now := time.monotonic()) - self._last_handed_over < LULL:
            if now - sending.handed_over > LONGEST_WAIT:
                break
            time.sleep(LULL)

    def _fail(self) -> None:
        self._answers = False
        self._down_until = time.monotonic() + RETRY_AFTER


handoff = Handoff()
