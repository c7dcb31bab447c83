"""What a host answers. ``standalone`` and ``sodar_core`` are the two that there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Protocol

from django.apps import apps
from django.db.models import Model, QuerySet


class ProjectPlugin(Protocol):
    """What an app of the site tells this one about itself."""

    @property
    def name(self) -> str:
        """What names it; mostly its app's name."""

    def update_cache(self, name: str | None = None, project: Any = None, user: Any = None) -> Any:
        """Set the items of one project, or of all; see ``plugins.ProjectAppPlugin``."""


class Host(ABC):
    """A kind of site. Nothing outside of this package asks which one it is."""

    defines_project: ClassVar[bool]
    """Whether ``sodarcache.Project`` is a model here."""
    reads_any_project: ClassVar[bool]
    """Whether a read that omits the project means any project's item; else it means None's."""

    @property
    @abstractmethod
    def project_model(self) -> str:
        """The label of the model whose objects are the projects."""

    @property
    @abstractmethod
    def project_uuid_field(self) -> str:
        """The name of the projects' UUID field."""

    @abstractmethod
    def migration_dependencies(self, migration: str) -> Sequence[tuple[str, str]]:
        """Return what ``migration``, by its number, needs of the app that has the projects."""

    @abstractmethod
    def app_names(self) -> Sequence[str]:
        """Return the names of apps that may have items, sorted."""

    @abstractmethod
    def backend_api(self, name: str, **kwargs: Any) -> Any:
        """Return the API of the backend plugin ``name``; None when it is not enabled."""

    @abstractmethod
    def project_plugins(self) -> Sequence[ProjectPlugin]:
        """Return the plugins of the site's apps, by name."""

    @abstractmethod
    def plugin_bases(self) -> tuple[type, type]:
        """Return what a backend's plugin and a project app's plugin are subclasses of."""

    @abstractmethod
    def rest_mixin(self) -> type:
        """Return what REST views inherit: ``permission_classes`` and ``get_project()``."""

    @abstractmethod
    def user_reference(self, user: Any) -> str:
        """Return what names a user to clients of the REST API."""

    def missing_backends(self) -> Collection[str]:
        """Return the names of backend plugins that are enabled, and that no app has."""
        return ()

    def add_permission_rules(self) -> None:
        """Say who may get and set values, where django-rules decides. Else backends do."""
        return

    def project_class(self) -> type[Model]:
        """Return the model whose objects are the projects."""
        return apps.get_model(self.project_model)

    def checked_project(self, project: Any) -> Any:
        """Return the project.

        :raises TypeError: when it is neither one nor None.
        :raises ValueError: when it is not saved.
        """
        if project is None:
            return None
        model = self.project_class()
        if not isinstance(project, model):
            raise TypeError(f"project must be a {model.__name__}, not {project!r}")
        if project.pk is None:
            raise ValueError("The project is not saved, and so can have no items")
        return project

    def projects(self) -> QuerySet[Any]:
        """Return the projects that have items of their own, in a lasting order."""
        return self.project_class()._default_manager.order_by("pk")

    def project_uuid(self, project: Any) -> Any:
        """Return the project's UUID."""
        return getattr(project, self.project_uuid_field)

    def project_title(self, project: Any) -> str:
        """Return the project's title, for people."""
        return str(getattr(project, "title", project))
