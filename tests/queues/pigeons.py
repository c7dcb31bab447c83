"""Queues as a user would write them."""

import json
import threading
from typing import ClassVar

from cacheback_app.queues import BaseQueue, RefreshCall


class PigeonQueue(BaseQueue):
    """Sends letters; ``deliver`` is its worker."""

    letters: ClassVar[list[str]] = []

    def enqueue(self, call: RefreshCall) -> None:
        self.letters.append(json.dumps(call.message()))

    @classmethod
    def deliver(cls) -> list[bool]:
        letters = [cls.letters.pop(0) for _ in range(len(cls.letters))]
        return [RefreshCall.from_message(json.loads(letter)).run() for letter in letters]


class SlowPigeonQueue(BaseQueue):
    """Takes the first letter at once; the others when the gate is open."""

    sent: ClassVar[list[str]] = []
    gate: ClassVar[threading.Event] = threading.Event()
    hands_over = True

    def enqueue(self, call: RefreshCall) -> None:
        if self.sent:
            self.gate.wait(30)
        self.sent.append(call.key)


class LostPigeonQueue(BaseQueue):
    """Never sends anything."""

    def enqueue(self, call: RefreshCall) -> None:
        raise OSError("no pigeon is left")


class MoodyPigeonQueue(BaseQueue):
    """Fails when it is told to."""

    mood: ClassVar[Exception | None] = None
    sent: ClassVar[list[str]] = []

    def enqueue(self, call: RefreshCall) -> None:
        if self.mood is not None:
            raise self.mood
        self.sent.append(call.key)


not_a_queue = "a pigeon"
