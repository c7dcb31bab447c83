"""Cached reads for Django: fetched once, served at once, renewed in the background."""

from .base import Job
from .decorators import CachedFunction, cacheback
from .engine.explaining import Explanation
from .engine.slot import Call
from .exceptions import (
    CachebackError,
    JobNotImportable,
    MalformedCall,
    QueueError,
    UnstorableValue,
)
from .invalidation import adelete_tags, ainvalidate_tags, delete_tags, invalidate_tags
from .jobs import FunctionJob, QuerySetFilterJob, QuerySetGetJob, QuerySetJob

__all__ = [
    "CachebackError",
    "CachedFunction",
    "Call",
    "Explanation",
    "FunctionJob",
    "Job",
    "JobNotImportable",
    "MalformedCall",
    "QuerySetFilterJob",
    "QuerySetGetJob",
    "QuerySetJob",
    "QueueError",
    "UnstorableValue",
    "adelete_tags",
    "ainvalidate_tags",
    "cacheback",
    "delete_tags",
    "invalidate_tags",
]
