"""A Django site of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.apps import apps
from django.db.migrations import swappable_dependency

from sodarcache import conf

from .base import Host, ProjectPlugin
from .discovery import BackendPluginPoint, PluginPoint, ProjectAppPlugin


class StandaloneHost(Host):
    """The project model is swappable, and plugins are found by being in ``plugins.py``."""

    defines_project = True
    reads_any_project = False

    def __init__(self) -> None:
        conf.ensure_project_model()

    @property
    def project_model(self) -> str:
        return conf.project_model()

    @property
    def project_uuid_field(self) -> str:
        return conf.project_uuid_field()

    def migration_dependencies(self, migration: str) -> Sequence[tuple[str, str]]:
        return [swappable_dependency(self.project_model)]

    def app_names(self) -> Sequence[str]:
        return sorted(
            config.label
            for config in apps.get_app_configs()
            if config.name.partition(".")[0] != "django"
        )

    def backend_api(self, name: str, **kwargs: Any) -> Any:
        if name not in conf.enabled_backend_plugins():
            return None
        plugin = {plugin.name: plugin for plugin in BackendPluginPoint.all()}.get(name)
        return None if plugin is None else plugin.get_api(**kwargs)

    def missing_backends(self) -> Collection[str]:
        return conf.enabled_backend_plugins() - {plugin.name for plugin in BackendPluginPoint.all()}

    def project_plugins(self) -> Sequence[ProjectPlugin]:
        return ProjectAppPlugin.all()

    def plugin_bases(self) -> tuple[type[PluginPoint], type[PluginPoint]]:
        return BackendPluginPoint, ProjectAppPlugin

    def rest_mixin(self) -> type:
        from sodarcache.rest.permissions import StandaloneProjectMixin

        return StandaloneProjectMixin

    def user_reference(self, user: Any) -> str:
        return str(user.get_username())
