"""The queue of the model: it keeps what is sent until an actor delivers it, or nobody does."""

from __future__ import annotations

import json

from cacheback_app.queues import BaseQueue, RefreshCall

from .players import ask
from .world import World


class Messages(BaseQueue):
    """Hands every call to the world, which has it delivered late, twice or never."""

    in_process = True

    def enqueue(self, call: RefreshCall) -> None:
        # As a message: what another process gets has no object of this one in it.
        ask(World.send, json.dumps(call.message()), call.key, call.claim.split(":")[1])


def run(message: str) -> None:
    """Do what a worker does with what it was sent."""
    RefreshCall.from_message(json.loads(message)).run()
