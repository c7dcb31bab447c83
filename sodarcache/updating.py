"""Having the plugins of the site's apps set their items anew."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

from .host import get_host
from .host.base import ProjectPlugin

logger = logging.getLogger("sodarcache")


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that raised."""

    plugin: str
    project: str | None
    """The project's UUID; None when it was called for all."""
    exception: Exception | SystemExit

    def __str__(self) -> str:
        where = f"project {self.project}" if self.project else "all projects"
        return f"{self.plugin}, {where}: {type(self.exception).__name__}: {self.exception}"


def update(
    plugins: Iterable[ProjectPlugin], name: str | None, project: Any, user: Any
) -> list[Failure]:
    """Call ``update_cache`` of each plugin and return what failed."""
    failures = (update_one(plugin, name, project, user) for plugin in plugins)
    return [failure for failure in failures if failure is not None]


def update_one(plugin: ProjectPlugin, name: str | None, project: Any, user: Any) -> Failure | None:
    """Call a plugin's ``update_cache`` and return its failure, which is logged."""
    try:
        # Plugins from before SODAR Core 1.0 take no user.
        more = {"user": user} if _takes_user(plugin) else {}
        plugin.update_cache(name=name, project=project, **more)
    except (Exception, SystemExit) as exc:  # a plugin must not end the others, by any means
        uuid = None if project is None else str(get_host().project_uuid(project))
        # The message of an error may hold values.
        logger.error(
            "%s failed for project %s: %s", plugin.name, uuid or "(all)", type(exc).__name__
        )
        logger.debug("%s failed", plugin.name, exc_info=exc)
        return Failure(plugin.name, uuid, exc)
    return None


def _takes_user(plugin: ProjectPlugin) -> bool:
    parameters = signature(plugin.update_cache).parameters
    is_open = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    return "user" in parameters or is_open
