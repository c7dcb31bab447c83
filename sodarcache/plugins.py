"""The plugins: the door to this app, and what an app subclasses to have its items kept up to date.

``ProjectAppPlugin`` is found by itself in each installed app's ``plugins.py``. Inside of SODAR Core
it is ``projectroles``' own plugin point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .api import SODARCacheAPI
from .host import get_host

if TYPE_CHECKING:
    from .host.discovery import BackendPluginPoint, ProjectAppPlugin
else:
    BackendPluginPoint, ProjectAppPlugin = get_host().plugin_bases()

__all__ = ["BACKEND_NAME", "BackendPlugin", "ProjectAppPlugin", "get_backend_api"]

BACKEND_NAME = "sodar_cache"


class BackendPlugin(BackendPluginPoint):
    """Gives other apps the API, without their importing it."""

    name = BACKEND_NAME
    title = "SODAR Cache Backend"
    icon = "mdi:basket-outline"
    description = "Keeps what is slow to get, per project, as JSON in the database"

    def get_api(self, **kwargs: Any) -> SODARCacheAPI:
        """Return the API."""
        return SODARCacheAPI()


def get_backend_api(plugin_name: str, **kwargs: Any) -> Any:
    """Return the API of a backend plugin; None when it is not enabled.

    :param kwargs: passed to the plugin's ``get_api``.
    """
    return get_host().backend_api(plugin_name, **kwargs)
