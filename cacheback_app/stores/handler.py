"""``stores["alias"]``: from an alias to a dotted path to an instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.module_loading import import_string

from cacheback_app.conf import conf, on_change
from cacheback_app.engine.forks import ForkSafeLock
from cacheback_app.exceptions import ConfigurationException

from .base import BaseStore
from .options import Options


class StoreHandler(Mapping[str, BaseStore]):
    """The stores of ``CACHEBACK_STORES``, each made once in a process, when it is first asked for.

    Asking for one raises :exc:`ConfigurationException` when it is not configured or can't be made.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._made: dict[str, BaseStore] = {}

    def __getitem__(self, alias: str) -> BaseStore:
        try:
            return self._made[alias]
        except KeyError:
            pass
        with self._lock:
            if alias not in self._made:
                self._made[alias] = configured(alias)
            return self._made[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(conf.stores)

    def __len__(self) -> int:
        return len(conf.stores)

    def __contains__(self, alias: object) -> bool:
        return alias in conf.stores

    def close(self) -> None:
        """Close all stores, and make them anew when they are asked for."""
        with self._lock:
            made, self._made = self._made, {}
        for store in made.values():
            store.close()


def configured(alias: str) -> BaseStore:
    """Return a new instance of the store that ``CACHEBACK_STORES`` has under ``alias``.

    :raises ConfigurationException: which tells the alias, and the option where there is one.
    """
    try:
        definition = conf.stores[alias]
    except KeyError:
        known = ", ".join(map(repr, conf.stores)) or "none"
        raise ConfigurationException(
            f"no store {alias!r} in CACHEBACK_STORES; there are: {known}"
        ) from None
    return build(alias, definition, conf.stores)


def build(alias: str, definition: Any, aliases: Mapping[str, Any] | None = None) -> BaseStore:
    """Return a new store as ``{"BACKEND": dotted path, "OPTIONS": {...}}`` and the environment say.

    :param aliases: of all stores that the environment may mean.
    :raises ConfigurationException: as :func:`configured` does.
    """
    try:
        path, given = _parts(definition)
        cls = store_class(path)
        options = Options(cls)
        given = {**given, **options.from_environment(alias, aliases or {alias: definition})}
        return cls(**options.validated(given))
    except ConfigurationException as exc:
        raise ConfigurationException(f"CACHEBACK_STORES[{alias!r}]: {exc}") from exc
    except Exception as exc:
        message = f"CACHEBACK_STORES[{alias!r}]: {type(exc).__name__}: {exc}"
        raise ConfigurationException(message) from exc


def store_class(path: str) -> type[BaseStore]:
    """Return the class of stores at a dotted path.

    :raises ConfigurationException: when there is none.
    """
    try:
        found = import_string(path)
    except ImportError as exc:
        raise ConfigurationException(f"BACKEND {path!r} cannot be imported: {exc}") from exc
    if not (isinstance(found, type) and issubclass(found, BaseStore)):
        raise ConfigurationException(f"BACKEND {path!r} is not a BaseStore")
    return found


def _parts(definition: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(definition, Mapping):
        raise ConfigurationException('a store is written {"BACKEND": "...", "OPTIONS": {...}}')
    if unknown := definition.keys() - {"BACKEND", "OPTIONS"}:
        names = ", ".join(sorted(map(repr, unknown)))
        raise ConfigurationException(f"{names} is neither 'BACKEND' nor 'OPTIONS'")
    path, options = definition.get("BACKEND"), definition.get("OPTIONS", {})
    if not isinstance(path, str):
        raise ConfigurationException("'BACKEND' must be the dotted path of a class")
    if not (isinstance(options, Mapping) and all(isinstance(name, str) for name in options)):
        raise ConfigurationException("'OPTIONS' must be a dict of the options by name")
    return path, dict(options)


stores = StoreHandler()
"""The configured stores by alias."""

on_change(stores.close, "CACHEBACK_STORES")
