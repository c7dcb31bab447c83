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
    if name in stores or "." not in name:
        return stores[name]
    return _new_store(name, {}, where)


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
    backends, written = _sorted(confdict)
    shared: dict[str, BaseStore] = {}

    def store(paths: dict[str, Any], where: str) -> BaseStore:
        """Return a container's store; those that name one backend share it."""
        name, options = _taken_apart(paths, where)
        if name not in backends:
            return _new_store(name, options, where) if options else _store_named(name, where)
        of_backend, more = _taken_apart(backends[name], f"backend.{name}")
        if options:
            return _new_store(of_backend, {**more, **options}, where)
        if name not in shared:
            shared[name] = _new_store(of_backend, more, f"backend.{name}")
        return shared[name]

    for name in backends:
        store({"": name}, f"backend.{name}")  # so that mistakes show, used or not
    return {
        name: _made(
            name,
            store(paths, f"container.{name}.backend") if paths else LocalMemoryStore(),
            options,
            f"container.{name}",
        )
        for name, (paths, options) in written.items()
    }


def _sorted(
    confdict: Mapping[str, Any],
) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[dict[str, Any], dict[str, Any]]]]:
    """Return the backends, and the backend and fields of each container.

    The backends' options are by name; the dotted path is that without one.
    """
    backends: dict[str, dict[str, Any]] = {}
    containers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    unknown = []
    for key, value in confdict.items():
        if match := _BACKEND.fullmatch(str(key)):
            backends.setdefault(match["name"], {})[match["option"] or ""] = value
        elif match := _CONTAINER.fullmatch(str(key)):
            paths, fields = containers.setdefault(match["name"], ({}, {}))
            if match["field"]:
                fields[match["field"]] = value
            else:
                paths[match["option"] or ""] = value
        else:
            unknown.append(repr(key))
    if unknown:
        raise ConfigurationException(
            f"unknown {', '.join(sorted(unknown))}; keys are backend.NAME, backend.NAME.OPTION, "
            "container.NAME.backend, container.NAME.generator, container.NAME.expire and "
            "container.NAME.timeout"
        )
    return backends, containers


def _taken_apart(paths: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """Return the name or dotted path of a backend, and its options."""
    options = dict(paths)
    name = options.pop("", None)
    if name is None:
        names = ", ".join(f"{where}.{option}" for option in options)
        raise ConfigurationException(f"{names}: there is no {where}")
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
