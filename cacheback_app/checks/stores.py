"""Whether the configured stores and containers can be built."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning

from cacheback_app.conf import conf
from cacheback_app.containers.config import from_settings
from cacheback_app.exceptions import ConfigurationException
from cacheback_app.stores.handler import configured
from cacheback_app.stores.options import stray_variables


def check() -> Iterator[CheckMessage]:
    """Build each: a store is closed again, a container's generator is imported."""
    broken = set()
    for alias in conf.stores:
        try:
            configured(alias).close()
        except ConfigurationException as exc:
            broken.add(alias)
            yield Error(
                str(exc),
                hint="docs/stores.md lists the stores, their options, and the extras they need.",
                id="cacheback.E004",
            )
    for variable in stray_variables(conf.stores):
        yield Warning(
            f"The variable {variable} is no store's: there are {', '.join(conf.stores) or 'none'}.",
            hint="Variables are named CACHEBACK_STORE_<ALIAS>_<OPTION>; see docs/stores.md.",
            id="cacheback.W008",
        )
    for name, make in from_settings(conf.containers).items():
        if _store_of(name) in broken:
            continue  # told already
        try:
            make().generator  # noqa: B018 - which is imported by being asked for
        except Exception as exc:  # the generator's module may raise anything on its import
            yield Error(
                _told(name, exc),
                hint="docs/containers.md tells how a container is written.",
                id="cacheback.E005",
            )


def _told(name: str, exc: Exception) -> str:
    if isinstance(exc, ConfigurationException):
        return str(exc)
    return f"the generator of {name!r} cannot be imported: {type(exc).__name__}: {exc}"


def _store_of(name: str) -> object:
    setting = conf.containers[name]
    return setting.get("STORE", "default") if isinstance(setting, dict) else None
