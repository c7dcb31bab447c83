"""Named caches over a store that generate what is missing; ``docs/containers.md``."""

from cacheback_app.exceptions import ContainerAlreadyConfigured, NotFound, UnknownContainer

from .container import CacheContainer
from .registry import ContainerRegistry, containers, init

__all__ = [
    "CacheContainer",
    "ContainerAlreadyConfigured",
    "ContainerRegistry",
    "NotFound",
    "UnknownContainer",
    "containers",
    "init",
]
