"""System checks of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.checks import Error, register
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import CharField

from .host import get_host
from .models import SCOPE_LENGTH


@register
def check_project_model(**kwargs: Any) -> Iterable[Error]:
    """The project model has the UUID field, and a primary key that the unique index can hold."""
    host = get_host()
    try:
        model = host.project_class()
    except (LookupError, ValueError) as exc:
        yield Error(
            f"{host.project_model!r} names no model: {exc}",
            hint='Name one as in SODARCACHE_PROJECT_MODEL = "shop.Project".',
            id="sodarcache.E003",
        )
        return
    try:
        model._meta.get_field(host.project_uuid_field)
    except FieldDoesNotExist:
        yield Error(
            f"{host.project_model} has no field {host.project_uuid_field!r}.",
            hint="Name its UUID field in SODARCACHE_PROJECT_UUID_FIELD.",
            id="sodarcache.E001",
        )
    key = model._meta.pk
    if isinstance(key, CharField) and (key.max_length or 0) > SCOPE_LENGTH:
        yield Error(
            f"The primary key of {host.project_model} is longer than {SCOPE_LENGTH} characters.",
            hint="Projects need a shorter one: it is part of the index that keeps items apart.",
            id="sodarcache.E002",
        )


@register
def check_backend_plugins(**kwargs: Any) -> Iterable[Error]:
    """Every backend plugin that the site enables is there."""
    host = get_host()
    try:
        missing = sorted(host.missing_backends())
    except ImproperlyConfigured as exc:
        problems = [f"{exc}."]
    else:
        problems = [f"No app has the backend plugin {name!r}." for name in missing]
    for problem in problems:
        yield Error(
            problem,
            hint='Name those that there are: SODARCACHE_ENABLED_BACKEND_PLUGINS = ["sodar_cache"].',
            id="sodarcache.E004",
        )
