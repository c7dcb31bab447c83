"""Every error that this package raises of its own accord.

CachebackError
├── CacheUnavailable      the cache backend failed: told to who acts by hand, not to readers
├── QueueError            a refresh could not be handed to the task queue
│   └── JobNotImportable  no worker could import this job (also a TypeError)
├── UnstorableValue       a value that the cache's serialiser refuses (also a TypeError)
├── MalformedCall         a message is not a refresh call of this site (also a ValueError)
├── NotFound              a container has nothing, and no generator (also a KeyError)
├── ContainerAlreadyConfigured  a container of that name exists (also a ValueError)
├── UnknownJob            of ``catalogue``: there is no job of that name (also a LookupError)
├── BadArguments          of ``catalogue``: no JSON, or not the job's (also a ValueError)
├── RecordsError          anything about records of a remote API
│   ├── MissingParentError     a cache without an endpoint (also an AttributeError, a ValueError)
│   ├── NoCacheAssignedError   an endpoint without a cache (also an AttributeError, a ValueError)
│   ├── InvalidResponse        an answer is no JSON, or not of the model (also a ValueError)
│   ├── UnknownField           a model has no such field (also an AttributeError, a ValueError)
│   └── UnsuitableModel        a model that can't be kept, or a missing extra (also a TypeError)
└── StoreError            anything about a store
    ├── NotFoundException       nothing is stored under this key, or it has expired
    ├── AccessException         the backend failed; a write may or may not have been made
    ├── DataFormatException     the condition of a conditional write was not met
    └── ConfigurationException  a store or container can't be built (also an ImproperlyConfigured)
        └── UnknownContainer    no container of that name is configured (also a KeyError)

Errors of drivers are chained (``raise ... from exc``), so ``__cause__`` tells the whole story.
"""

from __future__ import annotations

import copyreg
from typing import Any

from django.core.exceptions import ImproperlyConfigured


class CachebackError(Exception):
    """The root of this package's errors. All can be pickled, for they cross processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own calls the constructor, with the message in the place of what it asks for.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class CacheUnavailable(CachebackError):
    """The cache backend could not be used; the engine goes on as if nothing were cached."""


class UnstorableValue(CachebackError, TypeError):
    """A value that the cache's serialiser refuses, such as one that cannot be pickled."""


class QueueError(CachebackError):
    """A refresh could not be handed to the task queue.

    Raised by ``Job.get`` only when the job says ``on_dispatch_error = "raise"``.
    """


class JobNotImportable(QueueError, TypeError):
    """A job that no worker in another process could import: a lambda, a nested function."""


class MalformedCall(CachebackError, ValueError):
    """A message that is not a refresh call, was changed on its way, or names something else."""


class NotFound(CachebackError, KeyError):
    """A container has no value for a key, and no generator that could make one.

    :ivar container: the container's name.
    :ivar key: the key that was asked for.
    """

    def __init__(self, container: str, key: str) -> None:
        super().__init__(f"the container {container!r} has nothing for {key!r}, and no generator")
        self.container = container
        self.key = key

    __str__ = Exception.__str__  # that of KeyError is for keys, not for messages


class ContainerAlreadyConfigured(CachebackError, ValueError):
    """A container was to be created under a name that another one has.

    :ivar container: the name.
    """

    def __init__(self, container: str) -> None:
        super().__init__(f"there is a container {container!r} already")
        self.container = container


class RecordsError(CachebackError):
    """The root of what the records of remote APIs raise."""


class MissingParentError(RecordsError, AttributeError, ValueError):
    """A cache of records is used before an endpoint is its parent, and so has no model."""


class NoCacheAssignedError(RecordsError, AttributeError, ValueError):
    """An endpoint is asked for what only its cache could know, and has none."""


class InvalidResponse(RecordsError, ValueError):
    """What a server answered is not JSON, is cut off, or is no record of the model.

    :ivar errors: pairs of a field's place in the answer (``"3.start"``: in the fourth record) and
        what is wrong with it; the place is empty when that is the answer as a whole.
    :ivar field: the place of the first.
    :ivar status_code: the answer's status.
    """

    def __init__(
        self, asked: str, model: type, errors: tuple[tuple[str, str], ...], status_code: int
    ) -> None:
        self.field, reason = errors[0]
        where = f"{self.field!r}: " if self.field else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{asked}: the answer is no {model.__qualname__}: {where}{reason}{more}")
        self.errors = errors
        self.status_code = status_code


class UnknownField(RecordsError, AttributeError, ValueError):
    """A query asks for a field that the model doesn't have.

    :ivar field: the name that was asked for.
    """

    def __init__(self, field: str, model: type) -> None:
        super().__init__(f"{model.__qualname__} has no field {field!r} to query")
        self.field = field


class UnsuitableModel(RecordsError, TypeError):
    """A model that can't be kept: neither dataclass nor pydantic model, or one without ``id``.

    Raised for a library that is not installed, too.
    """


class StoreError(CachebackError):
    """The root of what stores raise, apart from ``TypeError`` and ``ValueError`` for arguments.

    :ivar pk: the partition key of the call that failed; None when it was no call for a key.
    :ivar sk: its sort key.
    """

    def __init__(self, message: str = "", *, pk: str | None = None, sk: str | None = None) -> None:
        super().__init__(message)
        self.pk = pk
        self.sk = sk


class NotFoundException(StoreError):
    """Nothing is stored under this key, or it has expired."""


class AccessException(StoreError):
    """The backend can't be reached, refuses, or holds what is not a store's.

    A write that raised this may or may not have been made.
    """


class DataFormatException(StoreError):
    """A conditional write was not made: the stored value is not what it was to be."""


class ConfigurationException(StoreError, ImproperlyConfigured):
    """A store or container can't be built: unknown alias, backend or option, a missing driver."""


class UnknownContainer(ConfigurationException, KeyError):
    """There is no container of that name."""

    __str__ = Exception.__str__
