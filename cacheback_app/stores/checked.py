"""What backends have in common: checked arguments, conditions, durations, and errors."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NoReturn

from cacheback_app.durations import Duration, seconds
from cacheback_app.exceptions import AccessException, DataFormatException, NotFoundException

from .base import BaseStore

# Some 300 years; longer is for ever, as not every backend has numbers for it.
_FOR_EVER = 1e10


class CheckedStore(BaseStore):
    """A store of which a backend writes three methods, those with an underscore.

    They get checked arguments and answer plainly; the errors are raised here.
    """

    driver_errors: tuple[type[Exception], ...] = ()
    """What the backend raises when it fails; callers get :exc:`AccessException` instead."""

    def get(self, pk: str, sk: str) -> str:
        """See BaseStore.get()."""
        pk, sk = _key(pk, "pk"), _key(sk, "sk")
        try:
            value = self._get(pk, sk)
        except self.driver_errors as exc:
            self._failed(exc, pk, sk)
        except UnicodeDecodeError as exc:  # it is none of ours
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
        """See BaseStore.set()."""
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
        """See BaseStore.delete()."""
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
        """See BaseStore.delete_expired()."""
        try:
            return self._delete_expired()
        except self.driver_errors as exc:
            self._failed(exc)

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
