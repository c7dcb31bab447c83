"""What a store is: text under a partition key and a sort key, with conditional writes.

The contract is written here once; :mod:`.checked` keeps most of it for backends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, TypeVar

from cacheback_app.durations import Duration
from cacheback_app.engine.flow import StorageIo

T = TypeVar("T")


class BaseStore(ABC):
    """Keeps text under pairs of keys. Instances may be shared by threads, and used after a fork.

    ``pk`` and ``sk`` are any non-empty text; no two pairs share an entry. An entry that has
    expired counts as absent everywhere. Conditional writes are atomic over everything that
    shares the storage: of several writers with the same condition exactly one succeeds.

    Every method raises ``TypeError`` for what is not ``str``, ``ValueError`` for an empty key or
    a lone surrogate (which no encoding can carry), and :exc:`AccessException` when the backend
    fails. The arguments are checked first, so such a call has done nothing.
    """

    is_local: ClassVar[bool] = False
    """Whether the backend never waits for I/O, so that an event loop may call it."""

    @abstractmethod
    def get(self, pk: str, sk: str) -> str:
        """Return the value of an entry.

        :raises NotFoundException: when there is none.
        """

    @abstractmethod
    def set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool = False,
        constraint: str | None = None,
        expire: Duration | None = None,
    ) -> None:
        """Store ``value``, whatever was there, or under a condition.

        :param not_set: only when there is no entry.
        :param constraint: only when the entry's value is this.
        :param expire: how long the entry lives (``"1m"``, 60, ``timedelta``); 0: not at all;
            None: for ever, also when the entry that it replaces would have expired.
        :raises DataFormatException: when the condition is not met.
        :raises ValueError: when both conditions are given.
        """

    @abstractmethod
    def delete(self, pk: str, sk: str, constraint: str | None = None) -> None:
        """Remove an entry; that there is none is no error.

        :param constraint: only when the entry's value is this.
        :raises DataFormatException: when it is not, or when there is no entry.
        """

    def delete_expired(self) -> int:
        """Free the space of entries that have expired; return how many they were.

        Readers never see them anyway. Backends that free it themselves return 0.
        """
        return 0

    def close(self) -> None:  # noqa: B027 - nothing is open unless a backend says so
        """Close what is open. The store may be used again, and opens it anew."""

    async def aget(self, pk: str, sk: str) -> str:
        """See get()."""
        return await self._run(partial(self.get, pk, sk))

    async def aset(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool = False,
        constraint: str | None = None,
        expire: Duration | None = None,
    ) -> None:
        """See set()."""
        await self._run(partial(self.set, pk, sk, value, not_set, constraint, expire))

    async def adelete(self, pk: str, sk: str, constraint: str | None = None) -> None:
        """See delete()."""
        await self._run(partial(self.delete, pk, sk, constraint))

    async def _run(self, do: Callable[[], T]) -> T:
        """Call ``do`` without blocking the event loop."""
        result: T = await StorageIo(do, self.is_local).arun()
        return result
