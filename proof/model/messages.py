"""The queue of the model: it keeps what is sent until an actor delivers it, or nobody does."""

from __future__ import annotations

from dataclasses import replace

from cacheback_app.queues import BaseQueue, RefreshCall

from . import stage


class Messages(BaseQueue):
    """Hands every call to the world, which has it delivered late, twice or never."""

    in_process = True

    def enqueue(self, call: RefreshCall) -> None:
        # As a message: what another process gets has no object of this one in it.
        stage.world().dispatched(replace(call, local=None))
