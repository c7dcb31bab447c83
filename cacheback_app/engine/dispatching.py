"""Handing a refresh to the task queue, off the request's path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from cacheback_app import signals
from cacheback_app.durations import seconds
from cacheback_app.exceptions import QueueError

from .claims import Claim, State
from .entry import Entry
from .flow import Flow, Io, Step
from .outages import log
from .slot import Slot
from .tallies import DISPATCHED, tallies

if TYPE_CHECKING:
    from cacheback_app.queues import BaseQueue, RefreshCall


@dataclass(frozen=True, slots=True)
class Hand(Step):
    """Hand ``call`` to ``queue``; raises :exc:`QueueError` when the queue is known to be down."""

    queue: BaseQueue
    call: RefreshCall

    def run(self) -> None:
        self.queue.send(self.call)

    async def arun(self) -> None:
        if self.queue.takes_time:
            await Io(self.run).arun()
        elif self.queue.in_process and not self.queue.in_place:
            self.run()
        else:  # with its database connections, in the thread that Django keeps for sync code
            await sync_to_async(self.run)()


def hand_over(slot: Slot, claim: Claim, entry: Entry | None, ttl: float) -> Flow[None]:
    """Send the refresh that ``claim`` stands for.

    :raises QueueError: when the queue cannot be reached, or the call not be written down.
    """
    from cacheback_app.queues import RefreshCall, get_queue

    queue = get_queue()
    try:
        call = RefreshCall.of(slot, claim, entry.fetched_at if entry else None, ttl, queue)
        if signals.refresh_sending.receivers:
            call = replace(call, headers=_headers(slot, queue.name))
        yield Hand(queue, call)
    except QueueError as exc:
        report_unsent(slot, queue.name, exc)
        raise
    tallies.of(slot.path).add(DISPATCHED)
    if signals.refresh_dispatched.receivers:
        signals.refresh_dispatched.send_robust(
            type(slot.job), job=slot.path, key=slot.key, queue=queue.name
        )


def _headers(slot: Slot, queue: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    signals.refresh_sending.send_robust(
        type(slot.job), job=slot.path, key=slot.key, queue=queue, headers=headers
    )
    return headers


def report_unsent(slot: Slot, queue: str, exc: Exception) -> None:
    """Log, now and then, and signal that a refresh could not be handed to the queue."""
    log.warning(f"queue {queue}", "The queue %r took no refresh: %s", queue, exc)
    signals.dispatch_failed.send_robust(
        type(slot.job), job=slot.path, key=slot.key, queue=queue, exception=exc
    )


def abandon(slot: Slot, claim: Claim) -> Flow[None]:
    """Let nobody try again for ``error_backoff`` seconds, after ``claim`` could not be sent."""
    backoff = seconds(slot.job.error_backoff)
    if backoff:
        yield from slot.withdraw(claim, claim.moved(State.FAILED, backoff), backoff)
