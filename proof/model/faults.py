"""Mistakes to plant in the engine: the checker must find each, or its silence means nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from cacheback_app.engine import bulk, fetching, policy, reading, tags
from cacheback_app.engine.claims import Claim
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.flights import Flight, Landing
from cacheback_app.engine.flow import Flow, Io
from cacheback_app.engine.near import NearCache
from cacheback_app.engine.slot import Grant, Slot, Stored
from cacheback_app.engine.state import ABSENT, ANY, Op, Outcome, drop, look, put
from cacheback_app.engine.state.base import Write
from cacheback_app.engine.state.locmem import LocMemState

from .explore import Violation, enumerate_all
from .invariants import ALL
from .jobs import Bulk, Near
from .scenarios import Scenario, scenario

_apply, _clear_ops, _dispatch = LocMemState.apply, Slot.clear_ops, reading.dispatch
_entry_for, _commit_slot, _values = fetching.entry_for, Slot.commit, bulk._values
_land_flight, _put = Flight.land, NearCache.put


@dataclass(frozen=True)
class Fault:
    """A mistake, the guarantee that it breaks, and the actors who show it."""

    name: str
    breaks: str
    scenario: Scenario
    plant: Callable[[], AbstractContextManager[Any]]

    def violations(self) -> Sequence[Violation]:
        """Plant it, and return what comes of that."""
        broken = [invariant for invariant in ALL if invariant.name == self.breaks]
        with self.plant():
            return enumerate_all(self.scenario, broken).violations


def _takes_claim(op: Op) -> bool:
    return op.write is Write.PUT and op.key.endswith(":claim")


def _check_then_set(self: LocMemState, ops: Sequence[Op]) -> Outcome:
    """As the ancestor did: look whether the claim is free, and write it a moment later."""
    if not any(_takes_claim(op) and op.expect is ABSENT for op in ops):
        return _apply(self, ops)
    seen = _apply(self, [op._replace(write=Write.KEEP) for op in ops])
    return _apply(self, [op._replace(expect=ANY) for op in ops]) if seen.applied else seen


def _claim_for_ever(self: LocMemState, ops: Sequence[Op]) -> Outcome:
    return _apply(self, [op._replace(ttl=None) if _takes_claim(op) else op for op in ops])


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


def _take(self: Slot, claim: Claim | None, ops: Sequence[Op]) -> Flow[Outcome]:
    outcome: Outcome = yield self.transact(ops)
    return outcome


def _land(self: Flight, landing: Landing, cargo: Any = None) -> None:
    if landing is not Landing.RETRY:
        _land_flight(self, landing, cargo)


def _claim_taken(slot: Slot, claim: Claim) -> list[Op]:
    return slot.begin_ops(claim, slot.claim_ttl, ANY)


def _values_in_another_order(led: Sequence[Any]) -> Flow[Sequence[Any]]:
    values = yield from _values(led)
    return values[::-1]


def _commit_with_new_stamps(
    self: Slot, grant: Grant, entry: Entry, ttl: float | None
) -> Flow[Stored]:
    names = tuple(grant.stamps)
    now = yield self.transact([look(tags.tag_key(name)) for name in names])
    stamps = tags.stamps(names, now.value)
    return (yield from _commit_slot(self, grant, replace(entry, tags=stamps), ttl))


def _put_whatever_was_removed(
    self: NearCache, key: Any, value: Any, deadline: float, epoch: int
) -> None:
    self._values[key] = (deadline, value)


def _put_then_look(self: NearCache, key: Any, value: Any, deadline: float, epoch: int) -> None:
    if epoch == self.epoch:
        self._values[key] = (deadline, value)
    if epoch != self.epoch:
        self._values.pop(key, None)


def _put_for_as_long_again(
    self: NearCache, key: Any, value: Any, deadline: float, epoch: int
) -> None:
    _put(self, key, value, time.time() + Near.local_ttl, epoch)


def _shut_eyes(self: NearCache, key: Any) -> None:
    """Remove nothing."""


MISSING_BOTH: dict[str, Any] = {"beginning": "missing", "other": "missing"}
TOGETHER: dict[str, Any] = {"hosts": (0, 0), "page": Near}

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
    Fault(
        "a caller who is cancelled and keeps its claim",
        "J8",
        scenario("aget, cancelled", beginning="missing"),
        lambda: mock.patch.object(Slot, "take", _take),
    ),
    Fault(
        "a flight whose leader was cancelled, and that never lands",
        "J3",
        scenario("aget, cancelled", "get", beginning="missing", hosts=(0, 0)),
        lambda: mock.patch.object(Flight, "land", _land),
    ),
    Fault(
        "a reader of two keys that claims what others have claimed",
        "J3",
        scenario("get_many", "get", **MISSING_BOTH, page=Bulk),
        lambda: mock.patch.object(bulk, "_beginning", _claim_taken),
    ),
    Fault(
        "two values that are stored under each other's keys",
        "J13",
        scenario("get_many", **MISSING_BOTH, page=Bulk),
        lambda: mock.patch.object(bulk, "_values", _values_in_another_order),
    ),
    Fault(
        "stamps of tags from when a fetch ends",
        "J5",
        scenario("get_many", "invalidate tag", **MISSING_BOTH),
        lambda: mock.patch.object(Slot, "commit", _commit_with_new_stamps),
    ),
    Fault(
        "a near cache in which a removed value is put back",
        "J5",
        scenario("get, and get again", "delete", beginning="fresh", **TOGETHER),
        lambda: mock.patch.object(NearCache, "put", _put_whatever_was_removed),
    ),
    Fault(
        "a near cache that is looked at after it was put into",
        "J5",
        scenario("get", "get", "set", beginning="fresh", hosts=(0, 0, 0), page=Near),
        lambda: mock.patch.object(NearCache, "put", _put_then_look),
    ),
    Fault(
        "a near cache that nothing is removed from",
        "J5",
        scenario("get, and get again", "delete", beginning="fresh", **TOGETHER),
        lambda: mock.patch.object(NearCache, "remove", _shut_eyes),
    ),
    Fault(
        "local_ttl that counts from when a value is put",
        "J5",
        scenario("get, and get again", "invalidate", beginning="fresh", lapses=2, page=Near),
        lambda: mock.patch.object(NearCache, "put", _put_for_as_long_again),
    ),
    Fault(
        "a near cache that serves what is not fresh any more",
        "J6",
        scenario("get, and get again", beginning="soon stale", lapses=1, page=Near),
        lambda: mock.patch.object(NearCache, "put", _put_for_as_long_again),
    ),
]
