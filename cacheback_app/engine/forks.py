"""What a forked child must not share with its parent: locks that are held, connections, threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


def in_child(renew: Callable[[], object]) -> None:
    """Have ``renew()`` called in every child that is forked off, for as long as the process lives.

    Where processes are not forked (Windows) nothing is called.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


class ForkAware(Protocol):
    def after_fork(self) -> None:
        """Renew what belongs to the parent; called in every child that is forked off."""


_living: WeakSet[ForkAware] = WeakSet()


def watch(owner: ForkAware) -> None:
    """Have ``owner.after_fork()`` called for as long as it lives."""
    _living.add(owner)


def _after_fork() -> None:
    for owner in list(_living):
        owner.after_fork()


in_child(_after_fork)


class ForkSafeLock:
    """A reentrant lock that a forked child finds open, as it lacks the thread that may have it."""

    def __init__(self) -> None:
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Begin anew."""
        self._lock = threading.RLock()

    def acquire(self, timeout: float = -1) -> bool:
        """Return whether it was free within ``timeout`` seconds; -1 is as long as it takes."""
        return self._lock.acquire(timeout=timeout)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()
