"""Refreshes that are caught before they reach the queue, to be counted, and run at will."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, overload

from cacheback_app import Call
from cacheback_app.engine import codec, registry
from cacheback_app.engine.claims import Claim
from cacheback_app.engine.flow import adrive, drive
from cacheback_app.engine.slot import Slot
from cacheback_app.exceptions import CacheUnavailable
from cacheback_app.queues import RefreshCall

from .interposed import Send, interpose


class CapturedRefresh:
    """One refresh that was asked for and did not reach its queue."""

    def __init__(self, call: RefreshCall) -> None:
        self.call = call
        """As the queue would have got it."""
        self.times_run = 0

    @property
    def job(self) -> str:
        """The dotted path of the job class or decorated function."""
        return self.call.path

    @property
    def key(self) -> str:
        """The cache key."""
        return self.call.key

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments, as the worker would get them."""
        return self._arguments.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments, as the worker would get them."""
        return self._arguments.kwargs

    def run(self) -> bool:
        """Do what a worker does with it, here and now; a second time it is a duplicate.

        :returns: whether it fetched, which it does not when there is no need any more.
        :raises Exception: whatever the job's ``fetch`` raises.
        """
        self.times_run += 1
        return self.call.run()

    async def arun(self) -> bool:
        """See run()."""
        self.times_run += 1
        try:
            return (await adrive(self.call.flow())) is not None
        except CacheUnavailable:
            return False

    def lapse(self) -> None:
        """End its claim as time would, on caches whose clock cannot be moved, too."""
        claim = Claim.parse(self.call.claim)
        if claim is not None:
            drive(self._place().withdraw(claim))

    def __repr__(self) -> str:
        given = [repr(arg) for arg in self.args]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"<refresh of {self.job}({', '.join(given)})>"

    @cached_property
    def _arguments(self) -> Call:
        payload, local = self.call.payload, self.call.local
        if local is not None and not payload:  # arguments that only this process can pass on
            return Call(local.job._describe(local.args)[1], local.kwargs)
        return Call(codec.load(payload["args"]), codec.load(payload["kwargs"]))

    def _place(self) -> Slot:
        """Return where it is cached. Arguments are not asked for: their rows may be gone."""
        if self.call.local is not None:
            return self.call.local
        rebuild = codec.load(self.call.payload["rebuild"])
        job, _ = registry.find(self.call.job)._rebuild(**rebuild)
        return Slot(job, self.key, (), {})


class Refreshes(Sequence[CapturedRefresh]):
    """The refreshes that a block kept from the queue, oldest first. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[CapturedRefresh] = []

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> CapturedRefresh: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CapturedRefresh]: ...
    def __getitem__(self, index: int | slice) -> CapturedRefresh | Sequence[CapturedRefresh]:
        return self._kept[index]

    def assert_refreshes(self, n: int) -> None:
        """Assert that ``n`` refreshes were asked for; the message lists those that were.

        :raises AssertionError: when it were more or less.
        """
        found = list(self._kept)
        if len(found) != n:
            listed = "".join(f"\n  {number}. {each!r}" for number, each in enumerate(found))
            raise AssertionError(f"{n} refreshes expected, {len(found)} captured{listed}")

    def run(self, *positions: int) -> list[bool]:
        """Run what was not run yet, oldest first, or those at ``positions`` (again).

        What these ask for in turn is captured and left for the next call.

        :returns: which of them fetched.
        :raises Exception: whatever a ``fetch`` raises; the rest is left for the next call.
        """
        return [each.run() for each in self._chosen(positions)]

    async def arun(self, *positions: int) -> list[bool]:
        """See run()."""
        return [await each.arun() for each in self._chosen(positions)]

    def keep(self, call: RefreshCall) -> CapturedRefresh:
        """Add ``call``."""
        kept = CapturedRefresh(call)
        with self._lock:
            self._kept.append(kept)
        return kept

    def lapse(self) -> None:
        """End the claims of what was never run."""
        for each in list(self._kept):
            # The block has ended, maybe with an error that matters more than what a cache that is
            # down, or a module that is gone, has to say.
            with contextlib.suppress(Exception):
                if not each.times_run:
                    each.lapse()

    def _chosen(self, positions: Sequence[int]) -> list[CapturedRefresh]:
        if positions:
            return [self._kept[position] for position in positions]
        return [each for each in self._kept if not each.times_run]


@contextmanager
def capture_refreshes() -> Iterator[Refreshes]:
    """Keep all refreshes of this process from their queue within the block.

    Those that were not run when it ends are forgotten, and their claims with them.
    """
    refreshes = Refreshes()

    def keep(call: RefreshCall, send: Send) -> None:
        refreshes.keep(call)

    try:
        with interpose(keep, keeps_all=True):
            yield refreshes
    finally:
        refreshes.lapse()
