"""Typed records of a remote API, kept locally and queried; ``docs/records.md``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cacheback_app.exceptions import (
    InvalidResponse,
    MissingParentError,
    NoCacheAssignedError,
    RecordsError,
    UnknownField,
    UnsuitableModel,
)

from .answers import Answer, Shape
from .base import RecordCache
from .endpoint import CachedEndpoint
from .json_cache import JSONCache
from .last_answer import LastAnswer, Source
from .methods import RequestMethod
from .model import Indexed
from .query import Comparison, Query
from .session import JSONSession

if TYPE_CHECKING:
    from .sqlite_cache import SqliteCache

__all__ = [
    "Answer",
    "CachedEndpoint",
    "Comparison",
    "Indexed",
    "InvalidResponse",
    "JSONCache",
    "JSONSession",
    "LastAnswer",
    "MissingParentError",
    "NoCacheAssignedError",
    "Query",
    "RecordCache",
    "RecordsError",
    "RequestMethod",
    "Shape",
    "Source",
    "SqliteCache",
    "UnknownField",
    "UnsuitableModel",
]

# SQLAlchemy and httpx come with an extra, and are imported when something uses them.
_LAZY = {"SqliteCache": ".sqlite_cache"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
