"""Plugins of a site without SODAR Core: subclasses in the ``plugins.py`` of installed apps."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.apps import apps
from django.utils.module_loading import autodiscover_modules


class PluginPoint:
    """A kind of plugin. A subclass that has a ``name`` is a plugin, and there is one of each."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    _plugins: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if PluginPoint in cls.__bases__:
            cls._plugins = {}
        elif cls.name:
            cls._plugins[cls.name] = cls()

    @classmethod
    def all(cls) -> list[Self]:
        """Return the plugins of this kind that are in installed apps, by name."""
        autodiscover_modules("plugins")  # imports each module once
        found = [plugin for _, plugin in sorted(cls._plugins.items())]
        # A module may be imported whose app is not installed: it has no items, and maybe no table.
        return [plugin for plugin in found if apps.get_containing_app_config(plugin.__module__)]


class BackendPluginPoint(PluginPoint):
    """Offers an API to other apps."""

    def get_api(self, **kwargs: Any) -> Any:
        """Return the API."""
        raise NotImplementedError


class ProjectAppPlugin(PluginPoint):
    """What an app's ``plugins.py`` subclasses to have its items kept up to date."""

    update_by_project: ClassVar[bool] = True
    """Whether ``synccache`` calls ``update_cache`` once per project; else once, for all of them."""

    def update_cache(self, name: str | None = None, project: Any = None, user: Any = None) -> None:
        """Set this app's items anew. Does nothing unless it is overridden.

        :param name: the item to update; None for all that the app knows.
        :param project: the project to update; None for all of them.
        :param user: on whose behalf.
        """
