"""Talking to a broker off the request's path.

A healthy broker takes a fraction of a millisecond, a cold one 50 ms, a dead one seconds. So one
background thread talks to it, and callers wait for the outcome, but never longer than
:data:`PATIENCE`. Where a queue allows it (``hands_over``) they go on at once while its broker
answers; what is known of one broker is no reason to trust or to spare another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from weakref import WeakKeyDictionary

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
"""Seconds for which a broker that kept callers waiting, and then failed, is left alone, so that a
page with forty stale values loses a quarter of a second to an outage, not ten."""

QUICK = 0.005
"""Seconds in which a failure may be asked for again: forty of them take less than one wait."""


@dataclass(eq=False, slots=True)
class _Broker:
    """What this process knows of one broker."""

    itself: object
    answers: bool = False
    down_until: float = 0.0
    """Monotonic time."""

    def failed(self, took: float) -> None:
        self.answers = False
        if took > QUICK:
            self.down_until = time.monotonic() + RETRY_AFTER


@dataclass(eq=False, slots=True)
class _Sending:
    """One message on its way to the broker."""

    queue: BaseQueue
    broker: _Broker
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
        """Forget what is known of the brokers."""
        self._known: WeakKeyDictionary[BaseQueue, _Broker] = WeakKeyDictionary()
        self._sending: _Sending | None = None
        self._last_handed_over = 0.0

    def send(self, queue: BaseQueue, call: RefreshCall) -> None:
        """Publish ``call`` in the background.

        :raises QueueError: when the broker is down, or does not answer in time.
        """
        broker = self._broker_of(queue)
        if time.monotonic() < broker.down_until:
            raise QueueError("it failed a moment ago")
        if self._is_stuck(broker):
            # A connection that died without a word: a timeout may take hours, or never come.
            self._pool.renew()
            self._sending = None
        may_go_on = queue.hands_over and not call.is_awaited
        is_trusted = may_go_on and broker.answers and not self._hangs_for(PATIENCE)
        now = self._last_handed_over = time.monotonic()
        outcome: Future[None] | None = None if is_trusted else Future()
        sending = _Sending(queue, broker, call, queue.bind(call), now, outcome)
        if not self._pool.submit(lambda: self._publish(sending)):
            raise QueueError("too many messages wait to be sent")
        if outcome is not None:
            self._await(outcome, sending)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything was handed to the broker; return whether it was."""
        return self._pool.drain(timeout)

    def _broker_of(self, queue: BaseQueue) -> _Broker:
        found, itself = self._known.get(queue), queue.broker
        if found is None or found.itself != itself:
            found = self._known[queue] = _Broker(itself)
        return found

    def _is_stuck(self, broker: _Broker) -> bool:
        busy = self._sending
        if busy is None or busy.broker is broker:
            return self._hangs_for(RETRY_AFTER)
        return self._hangs_for(PATIENCE) or time.monotonic() < busy.broker.down_until

    def _hangs_for(self, seconds: float) -> bool:
        sending = self._sending
        return sending is not None and time.monotonic() - sending.since > seconds

    def _await(self, outcome: Future[None], sending: _Sending) -> None:
        try:
            outcome.result(PATIENCE)
        except FutureTimeoutError as exc:
            busy = self._sending
            if busy is not None and busy.broker is sending.broker:  # it is not another that hangs
                busy.broker.failed(PATIENCE)
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
                sending.broker.failed(time.monotonic() - sending.since)
            if sending.outcome is None:  # do for the caller what it would have done itself
                sending.call.not_sent(sending.queue, exc)
            else:
                sending.outcome.set_exception(exc)
        else:
            sending.broker.answers, sending.broker.down_until = True, 0.0
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


handoff = Handoff()
