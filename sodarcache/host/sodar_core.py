"""Inside of a SODAR Core site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from .base import Host, ProjectPlugin

_DEPENDENCIES = {
    "0001": ("projectroles", "0006_add_remote_projects"),
    "0005": ("projectroles", "0041_alter_appsetting_unique_together_and_more"),
}


class SodarCoreHost(Host):
    """Projects, plugins and app names are those of projectroles."""

    defines_project = False
    reads_any_project = True

    @property
    def project_model(self) -> str:
        return "projectroles.Project"

    @property
    def project_uuid_field(self) -> str:
        return "sodar_uuid"

    def migration_dependencies(self, migration: str) -> Sequence[tuple[str, str]]:
        return [_DEPENDENCIES[migration]]

    def app_names(self) -> Sequence[str]:
        from projectroles.utils import get_app_names

        return list(get_app_names())

    def backend_api(self, name: str, **kwargs: Any) -> Any:
        from projectroles.plugins import PluginAPI

        return PluginAPI.get_backend_api(name, **kwargs)

    def project_plugins(self) -> Sequence[ProjectPlugin]:
        from projectroles.plugins import PluginAPI

        return list(PluginAPI.get_active_plugins("project_app") or ())

    def projects(self) -> QuerySet[Any]:
        return super().projects().filter(type="PROJECT")  # the others are categories of these

    def plugin_bases(self) -> tuple[type, type]:
        from projectroles.plugins import BackendPluginPoint, ProjectAppPluginPoint

        return BackendPluginPoint, ProjectAppPluginPoint

    def rest_mixin(self) -> type:
        from projectroles.models import SODAR_CONSTANTS
        from projectroles.views_api import SODARAPIBaseProjectMixin

        attributes = {"project_type": SODAR_CONSTANTS["PROJECT_TYPE_PROJECT"]}
        return type("SodarCoreProjectMixin", (SODARAPIBaseProjectMixin,), attributes)

    def user_reference(self, user: Any) -> str:
        return str(user.sodar_uuid)

    def add_permission_rules(self) -> None:
        import rules
        from projectroles import rules as roles

        may_set = roles.is_project_owner | roles.is_project_delegate | roles.is_project_contributor
        rules.add_perm("sodarcache.set_cache_value", may_set)
        rules.add_perm("sodarcache.get_cache_value", may_set | roles.is_project_guest)
