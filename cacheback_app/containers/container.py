"""A container: a named cache over a store that generates what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string

from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.flights import flights
from cacheback_app.engine.flow import adrive, drive
from cacheback_app.exceptions import ConfigurationException, NotFound
from cacheback_app.stores.base import BaseStore

from . import generating
from .generating import Place
from .values import MISSING, encode

Generator = Callable[[str], Any]
"""Makes the value of a key. May be ``async def``."""


class CacheContainer:
    """Keeps any objects under text keys, as ``dict`` does, and generates what is missing.

    A value is a copy: changing it changes nothing that is kept. :exc:`AccessException` is raised
    when the store fails, but not by a read that can generate the value instead: that one goes on
    without the store, unless ``CACHEBACK_IGNORE_CACHE_ERRORS`` is False.

    :param name: under which the entries are in the store: their partition key.
    :param backend: the store.
    :param generator: makes the value of a key, or the dotted path of what does, which is imported
        at first use; None: nothing is generated.
    :param expire: how long a value is kept (``"1m"``, 60, ``timedelta``); None: for ever.
    :param timeout: how long a generator may take before another caller tries as well.
    """

    _generator: Generator | str | None

    # Stores cannot list their keys; without this, iterating would ask for the key 0.
    __iter__ = None

    def __init__(
        self,
        name: str,
        backend: BaseStore,
        generator: Generator | str | None = None,
        expire: Duration | None = None,
        *,
        timeout: Duration = 60,
    ) -> None:
        self.name = _text(name, "the name of a container")
        self.backend = backend
        self.generator = generator
        self.expire = seconds(expire)
        self.timeout = seconds(timeout)
        if self.timeout is None or not 0 < self.timeout < math.inf:
            raise ValueError("timeout must be a positive duration")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {type(self.backend).__name__}>"

    @property
    def generator(self) -> Generator | None:
        """What makes the value of a key; it may be set to a function, a dotted path or None.

        :raises ConfigurationException: when there is no function at the dotted path.
        """
        generator = self._generator
        if isinstance(generator, str):
            generator = self._generator = _imported(generator, self.name)
        return generator

    @generator.setter
    def generator(self, generator: Generator | str | None) -> None:
        check_generator(generator)
        self._generator = generator

    @property
    def has_generator(self) -> bool:
        """Whether there is a generator; it is not imported yet."""
        return self._generator is not None

    def __getitem__(self, key: str) -> Any:
        """Return the value of ``key``, which is generated when it is missing or has expired.

        All who ask meanwhile get that one value, in every process that shares the store. What the
        generator raises reaches its caller and those who wait in the same process; others try
        one at a time.

        :raises NotFound: when there is no value and no generator.
        """
        value = self.get(key, MISSING)
        if value is MISSING:
            raise NotFound(self.name, key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key`` as ``[key]`` does; ``default`` instead of :exc:`NotFound`."""
        value = drive(generating.get(self._place(key)))
        return default if value is MISSING else value

    def __setitem__(self, key: str, value: Any) -> None:
        """Keep ``value``, whatever there was; a generator that runs will not overwrite it.

        :raises UnstorableValue: for what can't be pickled.
        """
        place = self._place(key)
        text = encode(value, self.name, place.key)
        self.backend.set(self.name, place.key, text, expire=self.expire)
        flights.detach(place)

    def __delitem__(self, key: str) -> None:
        """Forget the value of ``key`` if there is one, and that of a generator that still runs."""
        place = self._place(key)
        self.backend.delete(self.name, place.key)
        flights.detach(place)

    def __contains__(self, key: str) -> bool:
        """Return whether there is a value for ``key``; nothing is generated."""
        place = self._place(key)
        return place.value(place.read()) is not MISSING

    async def aget(self, key: str, default: Any = None) -> Any:
        """See get()."""
        value = await adrive(generating.get(self._place(key)))
        return default if value is MISSING else value

    async def aset(self, key: str, value: Any) -> None:
        """See ``[key] = value``."""
        await self.backend._run(lambda: self.__setitem__(key, value))

    async def adelete(self, key: str) -> None:
        """See ``del [key]``."""
        await self.backend._run(lambda: self.__delitem__(key))

    def _place(self, key: str) -> Place:
        return Place(self, _text(key, "a key"))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is text, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{what} is not empty")
    return str.__str__(value)  # of a SafeString or a StrEnum: the same key


def check_generator(generator: object) -> None:
    """Raise ``TypeError`` for what is no generator."""
    if not (generator is None or isinstance(generator, str) or callable(generator)):
        kind = type(generator).__name__
        raise TypeError(f"a generator is a function or a dotted path, not {kind}")


def _imported(path: str, name: str) -> Generator:
    try:
        found: Generator = import_string(path)
    except ImportError as exc:
        raise ConfigurationException(
            f"the generator {path!r} of the container {name!r} cannot be imported: {exc}"
        ) from exc
    if not callable(found):
        raise ConfigurationException(
            f"the generator {path!r} of the container {name!r} is not a function"
        )
    return found
