"""Every error that this package raises of its own accord.

CachebackError
├── CacheUnavailable      the cache backend failed and errors are being ignored (internal)
├── QueueError            a refresh could not be handed to the task queue
│   └── JobNotImportable  no worker could import this job (also a TypeError)
├── UnstorableValue       a value that the cache's serialiser refuses (also a TypeError)
├── MalformedCall         a message is not a refresh call of this site (also a ValueError)
├── NotFound              a container has nothing, and no generator (also a KeyError)
├── ContainerAlreadyConfigured  a container of that name exists (also a ValueError)
└── StoreError            anything about a store
    ├── NotFoundException       nothing is stored under this key, or it has expired
    ├── AccessException         the backend failed; a write may or may not have been made
    ├── DataFormatException     the condition of a conditional write was not met
    └── ConfigurationException  a store or container can't be built (also an ImproperlyConfigured)
        └── UnknownContainer    no container of that name is configured (also a KeyError)

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
    """A store or container can't be built: unknown alias, backend or option, a missing driver."""


class UnknownContainer(ConfigurationException, KeyError):
    """There is no container of that name."""

    __str__ = Exception.__str__
