"""A queue that stands before the configured one and does with a refresh as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from cacheback_app.queues import BaseQueue, RefreshCall
from cacheback_app.queues.base import layers

Send: TypeAlias = Callable[[RefreshCall], None]
"""Hands a call on: to the next queue, in the end to the configured one."""


class Interposed(BaseQueue):
    """Has the flags of the queue behind it, so that what is sent is what that one would get.

    :param passes_on: whether calls go on to ``inner`` at once, so that sending takes as long.
    :param keeps_all: whether none ever does, so that a job that no worker would find will do.
    """

    def __init__(
        self,
        inner: BaseQueue,
        act: Callable[[RefreshCall, Send], None],
        *,
        passes_on: bool,
        keeps_all: bool,
    ) -> None:
        self._inner = inner
        self._act = act
        self._passes_on = passes_on
        self.keeps_all = keeps_all or inner.keeps_all
        self.in_process = inner.in_process
        self.in_place = inner.in_place and passes_on
        self.supports_delay = inner.supports_delay
        self.supports_priority = inner.supports_priority

    @property
    def takes_time(self) -> bool:
        """Whether the queue behind does, and is reached."""
        return self._passes_on and self._inner.takes_time

    @property
    def name(self) -> str:
        """The name of the queue behind."""
        return self._inner.name

    def enqueue(self, call: RefreshCall) -> None:
        self._act(call, self._inner.send)

    def send(self, call: RefreshCall) -> None:
        """Do with ``call`` as the test wants, in the caller's thread.

        :raises QueueError: when the queue behind does, or the test wants it to.
        """
        self.enqueue(call)


def interpose(
    act: Callable[[RefreshCall, Send], None], *, passes_on: bool = False, keeps_all: bool = False
) -> AbstractContextManager[None]:
    """Have every refresh of this process given to ``act`` within the block, from all threads."""
    return layers.added(
        lambda _, queue: Interposed(queue, act, passes_on=passes_on, keeps_all=keeps_all)
    )
