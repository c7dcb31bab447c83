"""Doing something again after the outermost commit, once per transaction however often asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class _Batch:
    """What was asked for in one transaction of one connection."""

    def __init__(self) -> None:
        self.hooks: list[Any] = []
        self.asked: set[tuple[Hashable, tuple[str, ...]]] = set()
        self.done: set[Hashable] = set()


@dataclass(frozen=True, slots=True)
class _Hook:
    """What runs after the commit: the first of equal ones acts."""

    batch: _Batch
    what: Hashable
    act: Callable[[], object]

    def __call__(self) -> None:
        if self.what not in self.batch.done:
            self.batch.done.add(self.what)
            self.act()


_batches: WeakKeyDictionary[BaseDatabaseWrapper, _Batch] = WeakKeyDictionary()


def after_commit(what: Hashable, act: Callable[[], object]) -> bool:
    """Have ``act`` called after the outermost commit of every transaction that is open here.

    :param what: names the action; of equal ones in a transaction, the first is called.
    :returns: whether a transaction is open. After a rollback nothing is called.
    """
    is_open = [_ask(connection, what, act) for connection in connections.all(initialized_only=True)]
    return any(is_open)


def _ask(connection: BaseDatabaseWrapper, what: Hashable, act: Callable[[], object]) -> bool:
    if not connection.in_atomic_block or _is_test_case(connection):
        return False
    batch = _batch(connection)
    # A savepoint that is rolled back takes its hooks with it, so a hook outside needs its own.
    asked = (what, tuple(connection.savepoint_ids))
    if asked not in batch.asked:
        batch.asked.add(asked)
        transaction.on_commit(_Hook(batch, what, act), using=connection.alias)
    return True


def _batch(connection: BaseDatabaseWrapper) -> _Batch:
    # Django starts a new list of hooks with each transaction, and after each rollback: of a
    # savepoint, then what is left of the transaction's hooks is in it.
    hooks: list[Any] = connection.run_on_commit
    batch = _batches.get(connection)
    if batch is None or batch.hooks is not hooks:
        left = (hook.batch for _, hook, *_ in hooks if isinstance(hook, _Hook))
        batch = _batches[connection] = next(left, _Batch())
        batch.hooks, batch.asked = hooks, set()
    return batch


def _is_test_case(connection: BaseDatabaseWrapper) -> bool:
    """Return whether only ``TestCase`` opened blocks: it never commits, and its author means
    the code under test to behave as it does outside."""
    blocks = connection.atomic_blocks
    return all(getattr(block, "_from_testcase", False) for block in blocks)
