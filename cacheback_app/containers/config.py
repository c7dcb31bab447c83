"""What is written about containers: in ``CACHEBACK_CONTAINERS``, and in the flat form of ``init``.

Both give a :data:`Factory` for each container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cacheback_app.exceptions import ConfigurationException
from cacheback_app.stores.base import BaseStore
from cacheback_app.stores.handler import store_class, stores
from cacheback_app.stores.local_memory import LocalMemoryStore
from cacheback_app.stores.options import Options

from .container import CacheContainer

FORMER = {
    "score.kvcache.backend.VariableCache": "cacheback_app.stores.LocalMemoryStore",
    "score.kvcache.backend.FileCache": "cacheback_app.stores.SQLiteStore",
    "score.kvcache.backend.SQLAlchemyCache": "cacheback_app.stores.SQLAlchemyStore",
}
"""The backends of score.kvcache, whose configuration is understood as it is."""

_SETTINGS = {"STORE", "GENERATOR", "EXPIRE", "TIMEOUT"}
_BACKEND = re.compile(r"backend\.(?P<name>[^.]+)(?:\.(?P<option>.+))?")
_CONTAINER = re.compile(
    r"container\.(?P<name>.+?)\.(?:backend(?:\.(?P<option>.+))?|(?P<field>generator|expire|timeout))"
)
_KEYS = (
    "keys are backend.NAME, backend.NAME.OPTION, container.NAME.backend, "
    "container.NAME.generator, container.NAME.expire and container.NAME.timeout"
)

Factory = Callable[[], CacheContainer]
"""Makes a container; raises :exc:`ConfigurationException`, which tells where the mistake is."""


# The form of the settings


def from_settings(settings: Mapping[str, Any]) -> dict[str, Factory]:
    """Return how ``CACHEBACK_CONTAINERS`` wants each container to be made."""
    return {name: partial(_from_setting, name, setting) for name, setting in settings.items()}


def _from_setting(name: str, setting: Any) -> CacheContainer:
    where = f"CACHEBACK_CONTAINERS[{name!r}]"
    if not isinstance(setting, Mapping):
        raise ConfigurationException(f'{where}: a container is written {{"STORE": "default", ...}}')
    if unknown := setting.keys() - _SETTINGS:
        names = ", ".join(sorted(map(repr, unknown)))
        known = ", ".join(sorted(_SETTINGS))
        raise ConfigurationException(f"{where}: unknown {names}; there are: {known}")
    options = {key.lower(): value for key, value in setting.items() if key != "STORE"}
    return _made(name, _store_named(setting.get("STORE", "default"), where), options, where)


def _store_named(name: Any, where: str) -> BaseStore:
    """Return the store with an alias of ``CACHEBACK_STORES``, or a new one of a dotted path."""
    if not isinstance(name, str):
        kind = type(name).__name__
        raise ConfigurationException(f"{where}: a store is named by text, not by {kind}")
    if "." in name and name not in stores:
        return _new_store(name, {}, where)
    try:
        return stores[name]
    except ConfigurationException as exc:
        raise ConfigurationException(f"{where}: {exc}") from exc


def _made(name: str, store: BaseStore, options: Mapping[str, Any], where: str) -> CacheContainer:
    try:
        return CacheContainer(name, store, **options)
    except (TypeError, ValueError) as exc:
        raise ConfigurationException(f"{where}: {exc}") from exc


# The flat form


def from_flat(confdict: Mapping[str, Any]) -> dict[str, CacheContainer]:
    """Return the containers that ``backend.NAME[.OPTION]`` and ``container.NAME.FIELD`` describe.

    :raises ConfigurationException: for unknown keys, and for values that can't be used.
    """
    flat = _Flat(confdict)
    for name in flat.backends:
        flat.backend(name)  # so that mistakes show, used or not
    return {
        name: _made(name, flat.store_of(name), options, f"container.{name}")
        for name, options in flat.containers.items()
    }


class _Flat:
    """The keys of a flat configuration, sorted. Stores are made when they are asked for."""

    def __init__(self, confdict: Mapping[str, Any]) -> None:
        self.backends: dict[str, dict[str, Any]] = {}
        """Options by backend; the one without a name is the dotted path."""
        self.containers: dict[str, dict[str, Any]] = {}
        """Fields by container, but for the backend."""
        self._chosen: dict[str, dict[str, Any]] = {}
        """Options by container of its backend, whose name or dotted path has no name here."""
        self._stores: dict[str, BaseStore] = {}
        if unknown := [key for key, value in confdict.items() if not self._sort(str(key), value)]:
            names = ", ".join(sorted(map(repr, unknown)))
            raise ConfigurationException(f"unknown {names}; {_KEYS}")

    def _sort(self, key: str, value: Any) -> bool:
        """Put ``value`` where it belongs; return False when nobody knows where that is."""
        if match := _BACKEND.fullmatch(key):
            self.backends.setdefault(match["name"], {})[match["option"] or ""] = value
        elif match := _CONTAINER.fullmatch(key):
            fields = self.containers.setdefault(match["name"], {})
            if match["field"]:
                fields[match["field"]] = value
            else:
                self._chosen.setdefault(match["name"], {})[match["option"] or ""] = value
        return match is not None

    def backend(self, name: str) -> BaseStore:
        """Return the store of ``backend.NAME``, the same each time."""
        if name not in self._stores:
            where = f"backend.{name}"
            self._stores[name] = _new_store(*_taken_apart(self.backends[name], where), where)
        return self._stores[name]

    def store_of(self, container: str) -> BaseStore:
        """Return the store of ``container.NAME``: this process's memory if it names none."""
        if container not in self._chosen:
            return LocalMemoryStore()
        where = f"container.{container}.backend"
        name, options = _taken_apart(self._chosen[container], where)
        if name not in self.backends:
            return _new_store(name, options, where) if options else _store_named(name, where)
        if not options:
            return self.backend(name)
        path, more = _taken_apart(self.backends[name], f"backend.{name}")
        return _new_store(path, {**more, **options}, where)


def _taken_apart(written: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """Return the name or dotted path of a backend, and its options."""
    options = dict(written)
    if "" not in options:
        names = ", ".join(f"{where}.{option}" for option in options)
        raise ConfigurationException(f"{names}: there is no {where}")
    name = options.pop("")
    if not isinstance(name, str):
        raise ConfigurationException(f"{where}: a backend is named by text")
    return name, options


def _new_store(path: str, given: Mapping[str, Any], where: str) -> BaseStore:
    """Return a new store of the class at a dotted path.

    :raises ConfigurationException: which names the key of the configuration that is wrong.
    """
    try:
        cls = store_class(FORMER.get(path, path))
        known = Options(cls)
        options = {
            name: known.parsed(name, value) if isinstance(value, str) else value
            for name, value in _modern(given).items()
        }
        return cls(**known.validated(options))
    except Exception as exc:
        raise ConfigurationException(f"{where}: {exc}") from exc


def _modern(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of SQLAlchemy's ``engine_from_config`` as ours."""
    options = {name: value for name, value in given.items() if not name.startswith("sqlalchemy.")}
    engine = {
        name.removeprefix("sqlalchemy."): value
        for name, value in given.items()
        if name.startswith("sqlalchemy.")
    }
    if "url" in engine:
        options["url"] = engine.pop("url")
    if engine:
        # As engine_from_config asks for it: options that are text become what they should be.
        options["engine_options"] = {"_coerce_config": True, **engine}
    return options
