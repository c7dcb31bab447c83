"""The containers by name, of the settings or of one ``init``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from cacheback_app.conf import conf, on_change
from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.forks import ForkSafeLock
from cacheback_app.exceptions import ContainerAlreadyConfigured, UnknownContainer
from cacheback_app.stores.local_memory import LocalMemoryStore

from .config import Factory, from_flat, from_settings
from .container import CacheContainer, Generator, check_generator

logger = logging.getLogger("cacheback")

G = TypeVar("G", bound=Generator)


class ContainerRegistry(Mapping[str, CacheContainer]):
    """Gives the configured containers, each made once in a process, when it is first asked for.

    :param configured: returns what makes each of them.
    """

    def __init__(self, configured: Callable[[], Mapping[str, Factory]]) -> None:
        self._configured = configured
        self._lock = ForkSafeLock()
        self._made: dict[str, CacheContainer] = {}
        self._registered: dict[str, dict[str, Any]] = {}
        self._registered_before: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> CacheContainer:
        """Return a container.

        :raises UnknownContainer: when there is none of that name.
        :raises ConfigurationException: when it can't be made.
        """
        try:
            return self._made[name]
        except KeyError:
            pass
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    @property
    def containers(self) -> dict[str, CacheContainer]:
        """All containers by name."""
        return {name: self[name] for name in self}

    def create_container(self, name: str, *, exist_ok: bool = False) -> CacheContainer:
        """Make a container in this process's memory, without a generator, and return it.

        :param exist_ok: whether to return the one that has that name already.
        :raises ContainerAlreadyConfigured: when there is one, unless ``exist_ok``.
        """
        with self._lock:
            if name in self:
                if exist_ok:
                    return self[name]
                raise ContainerAlreadyConfigured(name)
            container = self._made[name] = CacheContainer(name, LocalMemoryStore())
            return container

    def register_generator(
        self, name: str, generator: Generator | str, *, expire: Duration | None = None
    ) -> None:
        """Let ``generator`` make the values of a container.

        A container that is not configured is made in this process's memory, with a warning.

        :param expire: how long its values are kept; None: as it is configured.
        """
        check_generator(generator)
        given: dict[str, Any] = {"generator": generator}
        if expire is not None:
            given["expire"] = seconds(expire)
        with self._lock:
            if name not in self:
                logger.warning("The container %r is not configured; it is kept in memory", name)
                self.create_container(name)
            self._registered[name] = given
            if name in self._made:
                _apply(given, self._made[name])

    def generator(self, name: str, *, expire: Duration | None = None) -> Callable[[G], G]:
        """Decorate a function that makes the values of a container: ``register_generator``."""

        def register(function: G) -> G:
            self.register_generator(name, function, expire=expire)
            return function

        return register

    def reset(self) -> None:
        """Make all containers anew, as is configured now, when they are asked for.

        Forgotten are those of ``create_container``. What was registered stays, as decorators do not
        run again, but for generators that the settings name.
        """
        with self._lock:
            self._made.clear()
            self._registered_before |= self._registered
            self._registered.clear()

    def _names(self) -> dict[str, None]:
        known = (self._configured(), self._made, self._registered, self._registered_before)
        return dict.fromkeys(name for names in known for name in names)

    def _make(self, name: str) -> CacheContainer:
        make = self._configured().get(name)
        before = self._registered_before.get(name)
        if make is not None:
            container = make()
        elif before is not None:
            container = CacheContainer(name, LocalMemoryStore())
        else:
            known = ", ".join(map(repr, self)) or "none"
            raise UnknownContainer(f"there is no container {name!r}; there are: {known}")
        if before is not None and not container.has_generator:
            _apply(before, container)
        _apply(self._registered.get(name, {}), container)
        return container


def _apply(registered: Mapping[str, Any], container: CacheContainer) -> None:
    for attribute, value in registered.items():
        setattr(container, attribute, value)


def init(confdict: Mapping[str, Any]) -> ContainerRegistry:
    """Return the containers that a flat configuration describes::

        init({
            "backend.file": "cacheback_app.stores.SQLiteStore",
            "backend.file.path": "var/greetings.sqlite3",
            "container.greeting.backend": "file",  # or an alias of CACHEBACK_STORES, or a path
            "container.greeting.generator": "greetings.generate",
            "container.greeting.expire": "1m",
        })

    :raises ConfigurationException: for keys that are unknown, and values that can't be used.
    """
    made = from_flat(confdict)
    factories = {name: partial(made.__getitem__, name) for name in made}
    return ContainerRegistry(lambda: factories)


containers = ContainerRegistry(lambda: from_settings(conf.containers))
"""The containers of ``CACHEBACK_CONTAINERS``."""

on_change(containers.reset, "CACHEBACK_CONTAINERS", "CACHEBACK_STORES")
