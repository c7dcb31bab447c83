"""Every error that this package raises of its own accord.

CachebackError
├── CacheUnavailable      the cache backend failed and errors are being ignored (internal)
├── QueueError            a refresh could not be handed to the task queue
│   └── JobNotImportable  no worker could import this job (also a TypeError)
├── UnstorableValue       a value that the cache's serialiser refuses (also a TypeError)
├── MalformedCall         a message is not a refresh call of this site (also a ValueError)
└── StoreError            anything about a store
    ├── NotFoundException       nothing is stored under this key, or it has expired
    ├── AccessException         the backend failed; a write may or may not have been made
    ├── DataFormatException     the condition of a conditional write was not met
    └── ConfigurationException  a store can't be built (also an ImproperlyConfigured)

Errors of drivers are chained (``raise ... from exc``), so ``__cause__`` tells the whole story.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class CachebackError(Exception):
    """The root of this package's errors."""


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


class StoreError(CachebackError):
    """The root of what stores raise, apart from ``TypeError`` and ``ValueError`` for arguments.

    :ivar pk: the partition key of the call that failed; None when it was no call for a key.
    :ivar sk: its sort key.
    """

    def __init__(self, message: str, *, pk: str | None = None, sk: str | None = None) -> None:
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
    """A store can't be built: unknown alias, backend or option, or a driver that is missing."""
