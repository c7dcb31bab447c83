"""Open connections, each used by one thread at a time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cacheback_app.engine.forks import watch


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)
T = TypeVar("T")


class IdleConnections(Generic[C]):
    """The connections that are open and not in use: at most as many as threads ever met here.

    :param connect: opens one.
    :param trust: for how many seconds one that nobody uses is taken to be alive.
    """

    def __init__(self, connect: Callable[[], C], *, trust: float = math.inf) -> None:
        self._connect = connect
        self._trust = trust
        self._idle: deque[tuple[C, float]] = deque()
        self._of_parents: list[deque[tuple[C, float]]] = []
        watch(self)

    def __bool__(self) -> bool:
        return bool(self._idle)

    def use(self, do: Callable[[C], T]) -> T:
        """Return ``do(connection)``; when that raises, open connections are not used again."""
        idle = self._idle
        connection = self._take()
        try:
            result = do(connection)
        except BaseException:
            connection.close()
            self.close()
            raise
        idle.append((connection, time.monotonic()))
        return result

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> C:
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return self._connect()
            if time.monotonic() - since < self._trust:
                return connection
            connection.close()

    def after_fork(self) -> None:
        """Leave the connections to the parent."""
        # Kept, because dropping the last reference would close what the parent uses.
        self._of_parents.append(self._idle)
        self._idle = deque()
