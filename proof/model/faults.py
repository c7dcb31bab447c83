"""Mistakes to plant in the engine: the checker must find each, or its silence means nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from cacheback_app.engine import fetching, policy, reading
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.flow import Flow, Io
from cacheback_app.engine.slot import Grant, Slot, Stored
from cacheback_app.engine.state import ABSENT, ANY, Op, Outcome, drop, put
from cacheback_app.engine.state.base import Write
from cacheback_app.engine.state.locmem import LocMemState

from .scenarios import Scenario, scenario

_apply, _clear_ops, _dispatch = LocMemState.apply, Slot.clear_ops, reading.dispatch
_entry_for = fetching.entry_for


@dataclass(frozen=True)
class Fault:
    """A mistake, the guarantee that it breaks, and the actors who show it."""

    name: str
    breaks: str
    scenario: Scenario
    plant: Callable[[], AbstractContextManager[Any]]


def _takes_claim(op: Op) -> bool:
    return op.write is Write.PUT and op.key.endswith(":claim")


def _check_then_set(self: LocMemState, ops: Sequence[Op]) -> Outcome:
    """As the ancestor did: look whether the claim is free, and write it a moment later."""
    if not any(_takes_claim(op) and op.expect is ABSENT for op in ops):
        return _apply(self, ops)
    seen = _apply(self, [replace(op, write=Write.KEEP) for op in ops])
    return _apply(self, [replace(op, expect=ANY) for op in ops]) if seen.applied else seen


def _claim_for_ever(self: LocMemState, ops: Sequence[Op]) -> Outcome:
    return _apply(self, [replace(op, ttl=None) if _takes_claim(op) else op for op in ops])


def _commit(self: Slot, grant: Grant, entry: Entry, ttl: float | None) -> Flow[Stored]:
    yield self.transact(self.store_ops(entry, ttl))
    return Stored.YES


def _release(self: Slot, grant: Grant) -> Io:
    return self.transact([drop(f"{self.key}:claim")])


def _without_lease(self: Slot) -> list[Op]:
    return [op for op in _clear_ops(self) if not op.key.endswith(":lease")]


def _aged_from_now(slot: Slot, value: Any, began: float, *rest: Any, **more: Any) -> Entry:
    return _entry_for(slot, value, time.time(), *rest, **more)


def _with_placeholder(slot: Slot, entry: Entry | None) -> Flow[Any]:
    """As the ancestor did: store what is empty, so that others find something."""
    if entry is None:
        now = time.time()
        yield slot.transact([put(slot.key, Entry(None, now, now + 60).pack(), 60)])
    return (yield from _dispatch(slot, entry))


FAULTS = [
    Fault(
        "a claim that is checked, then set",
        "J3",
        scenario("get", "get", beginning="missing"),
        lambda: mock.patch.object(LocMemState, "apply", _check_then_set),
    ),
    Fault(
        "a refresh that is claimed by a check, then a set",
        "J2",
        scenario("get", "get", beginning="stale"),
        lambda: mock.patch.object(LocMemState, "apply", _check_then_set),
    ),
    Fault(
        "a placeholder that is stored on a miss",
        "J4",
        scenario("get without fetch", "get", beginning="missing"),
        lambda: mock.patch.object(reading, "dispatch", _with_placeholder),
    ),
    Fault(
        "a commit that does not ask for the lease",
        "J5",
        scenario("get", "invalidate", beginning="missing"),
        lambda: mock.patch.object(Slot, "commit", _commit),
    ),
    Fault(
        "a deletion that leaves the lease",
        "J5",
        scenario("get", "delete", beginning="missing"),
        lambda: mock.patch.object(Slot, "clear_ops", _without_lease),
    ),
    Fault(
        "an age that is counted from the commit",
        "J6",
        scenario("get", beginning="missing", lapses=1),
        lambda: mock.patch.object(fetching, "entry_for", _aged_from_now),
    ),
    Fault(
        "a claim that is released by whoever lost it",
        "J8",
        scenario("get", "get", beginning="missing", lapses=1),
        lambda: mock.patch.object(Slot, "release", _release),
    ),
    Fault(
        "a claim without an end",
        "J8",
        scenario("get", beginning="stale"),
        lambda: mock.patch.object(LocMemState, "apply", _claim_for_ever),
    ),
    Fault(
        "a worker that does not look at the claim",
        "J3",
        scenario("worker", "second delivery", beginning="stale, refresh dispatched"),
        lambda: mock.patch.object(policy, "may_begin", lambda *_, **__: True),
    ),
]
