"""Backends without an atomic primitive: the windows that ``docs/protocol.md`` states for them.

Closing a window means that its check and its write are one step again. With all four closed no
guarantee may break, whatever else comes in between; so the page names all that there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

from cacheback_app.engine.state import ABSENT, ANY, Op, Outcome
from cacheback_app.engine.state.base import Write
from cacheback_app.engine.state.generic import GenericState

from .players import indivisible

_apply = GenericState.apply


def is_commit(ops: Sequence[Op]) -> bool:
    """Return whether this stores what was fetched if the lease is still there."""
    return any(op.key.endswith(":lease") and op.expect not in (ANY, ABSENT) for op in ops)


def is_takeover(ops: Sequence[Op]) -> bool:
    """Return whether this puts a claim in another's place."""
    return any(_is_claim(op) and op.write is Write.PUT and _expects_one(op) for op in ops)


def is_release(ops: Sequence[Op]) -> bool:
    """Return whether this gives a claim back, its lease perhaps, and does nothing else."""
    drops = all(op.write is Write.DROP for op in ops)
    return drops and any(_is_claim(op) and _expects_one(op) for op in ops)


def is_invalidation(ops: Sequence[Op]) -> bool:
    """Return whether this marks stale what was read, or takes the lease as nothing was there."""
    is_conditional = any(op.expect is not ANY for op in ops)
    takes_lease = any(
        op.key.endswith(":lease") and op.write is Write.DROP and op.expect is ANY for op in ops
    )
    return any(op.write is Write.REPLACE for op in ops) or (is_conditional and takes_lease)


def _is_claim(op: Op) -> bool:
    return op.key.endswith(":claim")


def _expects_one(op: Op) -> bool:
    return op.expect is not ANY and op.expect is not ABSENT


WINDOWS = (is_commit, is_takeover, is_release, is_invalidation)


@contextmanager
def closed(*windows: object) -> Iterator[None]:
    """Let nobody come in between check and write of these transactions."""

    def apply(self: GenericState, ops: Sequence[Op]) -> Outcome:
        if not any(window(ops) for window in windows):  # type: ignore[operator]
            return _apply(self, ops)
        with indivisible():
            return _apply(self, ops)

    with mock.patch.object(GenericState, "apply", apply):
        yield
