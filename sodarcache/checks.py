"""System checks of the project model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.checks import Error, register
from django.core.exceptions import FieldDoesNotExist
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
            id="sodarcache.E002",
        )
