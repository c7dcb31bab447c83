"""What a store is: text under a partition key and a sort key, with conditional writes.

The contract is written here once. A backend implements the three methods with an underscore,
which get checked arguments and answer plainly; the errors are raised here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NoReturn, TypeVar

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.flow import Io
from cacheback_app.exceptions import AccessException, DataFormatException, NotFoundException

T = TypeVar("T")

# Some 300 years; longer is for ever, as not every backend has numbers for it.
_FOR_EVER = 1e10


class BaseStore(ABC):
    """Keeps text under pairs of keys. Instances may be shared by threads, and used after a fork.

    ``pk`` and ``sk`` are any non-empty text; no two pairs share an entry. An entry that has
    expired counts as absent everywhere. Conditional writes are atomic over everything that
    shares the storage: of several writers with the same condition exactly one succeeds.

    Every method raises ``TypeError`` for what is not ``str``, ``ValueError`` for an empty key or
    a lone surrogate (which no encoding can carry), and :exc:`AccessException` when the backend
    fails. The arguments are checked first, so such a call has done nothing.
    """

    driver_errors: tuple[type[Exception], ...] = ()
    """What the backend raises when it fails; callers get :exc:`AccessException` instead."""
    is_local: ClassVar[bool] = False
    """Whether the backend never waits for I/O, so that an event loop may call it."""

    def get(self, pk: str, sk: str) -> str:
        """Return the value of an entry.

        :raises NotFoundException: when there is none.
        """
        pk, sk = _key(pk, "pk"), _key(sk, "sk")
        try:
            value = self._get(pk, sk)
        except self.driver_errors as exc:
            self._failed(exc, pk, sk)
        if value is None:
            raise NotFoundException(f"nothing is stored under {_shown(pk, sk)}", pk=pk, sk=sk)
        return value

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
        pk, sk, value = _key(pk, "pk"), _key(sk, "sk"), _text(value, "value")
        if constraint is not None:
            if not_set:
                raise ValueError("not_set and constraint exclude each other")
            constraint = _text(constraint, "constraint")
        lifetime = None if expire is None else _lifetime(expire)
        try:
            if lifetime == 0:
                done = self._set_nothing(pk, sk, not_set, constraint)
            else:
                done = self._set(pk, sk, value, not_set, constraint, lifetime)
        except self.driver_errors as exc:
            self._failed(exc, pk, sk)
        if not done:
            problem = "exists already" if not_set else "is not what it was to be"
            raise DataFormatException(f"{_shown(pk, sk)} {problem}", pk=pk, sk=sk)

    def delete(self, pk: str, sk: str, constraint: str | None = None) -> None:
        """Remove an entry; that there is none is no error.

        :param constraint: only when the entry's value is this.
        :raises DataFormatException: when it is not, or when there is no entry.
        """
        pk, sk = _key(pk, "pk"), _key(sk, "sk")
        if constraint is not None:
            constraint = _text(constraint, "constraint")
        try:
            done = self._delete(pk, sk, constraint)
        except self.driver_errors as exc:
            self._failed(exc, pk, sk)
        if not done and constraint is not None:
            message = f"{_shown(pk, sk)} is not what it was to be"
            raise DataFormatException(message, pk=pk, sk=sk)

    def delete_expired(self) -> int:
        """Free the space of entries that have expired; return how many they were.

        Readers never see them anyway. Backends that free it themselves return 0.
        """
        try:
            return self._delete_expired()
        except self.driver_errors as exc:
            self._failed(exc)

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

    @abstractmethod
    def _get(self, pk: str, sk: str) -> str | None:
        """Return the value of an entry that has not expired, None when there is none."""

    @abstractmethod
    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        """Store ``value`` for ``lifetime`` seconds, of which there are some; None is for ever.

        Return False when the condition, of which there is at most one, is not met. Checking it
        and writing are one step.
        """

    @abstractmethod
    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        """Remove an entry, and return False when ``constraint`` is given and not met."""

    def _delete_expired(self) -> int:
        """See delete_expired()."""
        return 0

    def _set_nothing(self, pk: str, sk: str, not_set: bool, constraint: str | None) -> bool:
        """Store what expires at once."""
        if not_set:
            return self._get(pk, sk) is None
        return self._delete(pk, sk, constraint) or constraint is None

    async def _run(self, do: Callable[[], T]) -> T:
        """Call ``do`` without blocking the event loop."""
        result: T = await Io(do, self.is_local).arun()
        return result

    def _failed(self, exc: Exception, pk: str | None = None, sk: str | None = None) -> NoReturn:
        # Not the driver's message, which may hold values or passwords; it is chained.
        message = f"{type(self).__name__} failed: {type(exc).__name__}"
        raise AccessException(message, pk=pk, sk=sk) from exc


def _key(value: object, name: str) -> str:
    if not value and isinstance(value, str):
        raise ValueError(f"{name} must not be empty")
    return _text(value, name)


def _text(value: object, name: str) -> str:
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    plain = str.__str__(value)  # of a SafeString or a StrEnum, whatever their own __str__ does
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has a lone surrogate, which is not text") from None
    return plain


def _lifetime(expire: Duration) -> float | None:
    lifetime = seconds(expire)
    return None if lifetime > _FOR_EVER or math.isinf(lifetime) else lifetime


def _shown(pk: str, sk: str) -> str:
    return " / ".join(repr(key if len(key) <= 60 else f"{key[:57]}...") for key in (pk, sk))
