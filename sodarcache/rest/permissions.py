"""Who may read and set a project's items in a site without SODAR Core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from sodarcache.host import get_host


class ProjectPermission(BasePermission):
    """Asks the site's authentication backends for ``view.permission_required`` on the project.

    Nobody is let in unless a backend says yes, and Django's own ``ModelBackend`` says no to all but
    superusers when it is asked about an object. Who may not read a project learns nothing of its
    items, as nothing is looked up before. An anonymous client gets the same answer for a project
    that exists and one that doesn't; others get 404 for the latter.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request may go on."""
        project = view.get_project()
        if project is None:
            if request.user.is_authenticated:
                raise NotFound
            return False
        return bool(request.user.has_perm(view.permission_required, project))


class StandaloneProjectMixin:
    """What the views ask of the host: see ``Host.rest_mixin``."""

    permission_classes: Sequence[Any] = [ProjectPermission]
    kwargs: dict[str, Any]

    def get_project(self) -> Model | None:
        """Return the project that the URL names; None when there is none."""
        host = get_host()
        lookup = {host.project_uuid_field: self.kwargs["project"]}
        return host.project_class()._default_manager.filter(**lookup).first()
