"""Doing something again after the outermost commit, once per transaction however often asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class _Batch:
    """What was asked for in one transaction of one connection."""

    def __init__(self, hooks: list[Any]) -> None:
        self.hooks = hooks
        self.asked: set[tuple[Hashable, tuple[str, ...]]] = set()
        self.done: set[Hashable] = set()


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
        transaction.on_commit(lambda: _once(batch, what, act), using=connection.alias)
    return True


def _batch(connection: BaseDatabaseWrapper) -> _Batch:
    # Django starts a new list of hooks with each transaction, and after each rollback.
    hooks: list[Any] = connection.run_on_commit
    batch = _batches.get(connection)
    if batch is None or batch.hooks is not hooks:
        batch = _batches[connection] = _Batch(hooks)
    return batch


def _once(batch: _Batch, what: Hashable, act: Callable[[], object]) -> None:
    if what not in batch.done:
        batch.done.add(what)
        act()


def _is_test_case(connection: BaseDatabaseWrapper) -> bool:
    """Return whether only ``TestCase`` opened blocks: it never commits, and its author means
    the code under test to behave as it does outside."""
    blocks = connection.atomic_blocks
    return all(getattr(block, "_from_testcase", False) for block in blocks)
