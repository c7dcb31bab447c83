"""What goes wrong, and how it is put right again. Each fault is one context manager."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import kombu

from tests import services
from tests.queues.proxy import Proxy

Fault = Callable[[], AbstractContextManager[None]]


class Workers:
    """The site's Celery workers: one that is killed has a successor at once."""

    def __init__(self, start: Callable[[], services.Process], count: int) -> None:
        self._start = start
        self._alive = [start() for _ in range(count)]
        self._starting: list[threading.Thread] = []
        self.killed = 0

    def kill_one(self) -> None:
        """Kill the worker that has lived longest, with all that it is doing."""
        if self._alive:
            self._alive.pop(0).kill()
            self.killed += 1
            thread = threading.Thread(target=lambda: self._alive.append(self._start()))
            self._starting.append(thread)
            thread.start()

    def settle(self) -> None:
        """Wait until every successor takes tasks."""
        for thread in self._starting:
            thread.join()


class Courier:
    """Carries every message from the queue that the site writes to the one that its workers read:
    usually at once, but some it loses, keeps back, or delivers twice and in another order."""

    def __init__(self, url: str, source: str, sink: str, draw: random.Random) -> None:
        self._url, self._source, self._sink, self._draw = url, source, sink, draw
        self._mode = self._carry
        self._held: list[Any] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.carried = self.lost = self.late = 0

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Lose every message within the block."""
        self._mode = self._lose
        yield
        self._mode = self._carry

    @contextmanager
    def holding_back(self) -> Iterator[None]:
        """Keep messages; when the block ends, deliver each twice, shuffled."""
        self._mode = self._hold
        yield
        self._mode = self._carry

    def _work(self) -> None:
        with kombu.Connection(self._url, connect_timeout=3) as connection:
            channel: Any = connection.channel()
            for name in (self._source, self._sink):
                channel.queue_declare(name, durable=True, auto_delete=False)
            while not self._is_over.wait(0.002):
                if self._mode == self._carry and self._held:
                    self._deliver_late(channel)
                while message := channel.basic_get(self._source, no_ack=True):
                    self._mode(channel, message)

    def _carry(self, channel: Any, message: Any) -> None:
        again = amqp.Message(message.body, **message.properties)
        channel.basic_publish(again, exchange="", routing_key=self._sink)
        self.carried += 1

    def _lose(self, channel: Any, message: Any) -> None:
        self.lost += 1

    def _hold(self, channel: Any, message: Any) -> None:
        self._held.append(message)

    def _deliver_late(self, channel: Any) -> None:
        held, self._held = self._held * 2, []
        self._draw.shuffle(held)
        self.late += len(held) // 2
        for message in held:
            self._carry(channel, message)


@dataclass
class Scene:
    """All that can be broken."""

    redis: services.RedisServer
    proxy: Proxy
    workers: Workers
    courier: Courier
    upstream_down: Path
    """The file that makes every fetch raise."""

    def faults(self) -> dict[str, Fault]:
        """Return every fault by name."""
        return {
            "worker killed (SIGKILL)": lambda: _at_once(self.workers.kill_one),
            "Redis stopped": self._redis_stopped,
            "Redis paused (SIGSTOP)": self._redis_paused,
            "Redis flushed": lambda: _at_once(self.redis.flush),
            "broker refuses": lambda: self._broker(self.proxy.refuse),
            "broker hangs": lambda: self._broker(self.proxy.hang),
            "broker loses messages": self.courier.losing,
            "tasks late, twice, out of order": self.courier.holding_back,
            "upstream down": self._upstream_down,
        }

    @contextmanager
    def _redis_stopped(self) -> Iterator[None]:
        self.redis.stop()
        try:
            yield
        finally:
            self.redis.start()

    @contextmanager
    def _redis_paused(self) -> Iterator[None]:
        self.redis.pause()
        try:
            yield
        finally:
            self.redis.resume()

    @contextmanager
    def _upstream_down(self) -> Iterator[None]:
        self.upstream_down.touch()
        try:
            yield
        finally:
            self.upstream_down.unlink()

    @contextmanager
    def _broker(self, break_it: Callable[[], None]) -> Iterator[None]:
        break_it()
        try:
            yield
        finally:
            self.proxy.restore()


CACHE_OUTAGES = {"Redis stopped", "Redis paused (SIGSTOP)", "Redis flushed"}


@contextmanager
def _at_once(act: Callable[[], None]) -> Iterator[None]:
    act()
    yield
