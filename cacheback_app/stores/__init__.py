"""Text under a partition key and a sort key, with conditional writes; ``docs/stores.md``."""

from cacheback_app.exceptions import (
    AccessException,
    ConfigurationException,
    DataFormatException,
    NotFoundException,
    StoreError,
)

from .base import BaseStore
from .checked import CheckedStore
from .database import DatabaseStore
from .dynamodb import DynamoDBStore
from .handler import StoreHandler, stores
from .local_file import LocalFileStore
from .local_memory import LocalMemoryStore
from .redis import RedisStore
from .sqlalchemy import SQLAlchemyStore
from .sqlite import SQLiteStore

__all__ = [
    "AccessException",
    "BaseStore",
    "CheckedStore",
    "ConfigurationException",
    "DataFormatException",
    "DatabaseStore",
    "DynamoDBStore",
    "LocalFileStore",
    "LocalMemoryStore",
    "NotFoundException",
    "RedisStore",
    "SQLAlchemyStore",
    "SQLiteStore",
    "StoreError",
    "StoreHandler",
    "stores",
]
