"""What a forked child must not share with its parent: locks that are held, connections."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

_callbacks: set[WeakMethod[Callable[[], Any]]] = set()


def in_every_child(method: Callable[[], Any]) -> None:
    """Call the bound ``method`` in every process that is forked off while its object lives."""
    _callbacks.add(WeakMethod(method, _callbacks.discard))


def _after_fork() -> None:
    for reference in list(_callbacks):
        if method := reference():
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
