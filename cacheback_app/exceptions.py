"""Every error that this package raises of its own accord.

CachebackError
├── CacheUnavailable      the cache backend failed and errors are being ignored (internal)
├── QueueError            a refresh could not be handed to the task queue
│   └── JobNotImportable  no worker could import this job (also a TypeError)
├── UnstorableValue       a value that the cache's serialiser refuses (also a TypeError)
└── MalformedCall         a message is not a refresh call of this site (also a ValueError)

Errors of drivers are chained (``raise ... from exc``), so ``__cause__`` tells the whole story.
"""


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
