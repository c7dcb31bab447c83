"""The items, and the project of sites that have no model of their own for it."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, GeneratedField, Value
from django.db.models.functions import Cast, Coalesce

from . import conf
from .fields import ExactCharField, RevisionField
from .host import get_host

SCOPE_LENGTH = 200
"""Characters of a project's primary key at most; with both names it must fit MariaDB's indexes."""

if get_host().defines_project:

    class Project(models.Model):
        """What items belong to, unless ``SODARCACHE_PROJECT_MODEL`` names another model."""

        title = models.CharField(max_length=255)
        sodar_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

        class Meta:
            swappable = "SODARCACHE_PROJECT_MODEL"
            ordering = ["title"]

        def __str__(self) -> str:
            return self.title


class BaseCacheItem(models.Model):
    """A value of one app under one name, of one project or of none."""

    project: models.ForeignKey[Any, Any] = models.ForeignKey(
        get_host().project_model,
        on_delete=models.CASCADE,
        related_name="cached_items",
        null=True,
        blank=True,
        help_text="Project to which the item belongs",
    )
    app_name = ExactCharField(max_length=255, help_text="App that set the item")
    name = ExactCharField(max_length=255, help_text="Name of the item, chosen by its app")
    date_modified = models.DateTimeField(auto_now=True, help_text="When the item was last set")
    user = models.ForeignKey(
        conf.user_model(),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        help_text="User who last set the item",
    )
    sodar_uuid = models.UUIDField(default=uuid.uuid4, unique=True, help_text="UUID of the item")
    revision = RevisionField(help_text="Another one for each state of the item")
    is_invalidated = models.BooleanField(default=False, db_default=False, editable=False)
    """Whether a ``ProjectJob`` holds the value for stale, however recent it is."""
    # NULLs are all different for a unique index, which a text that names "no project" is not.
    # There must be no other unique index over these columns: PostgreSQL's ON CONFLICT waits for
    # racing writers at one index only, and fails at another.
    scope = GeneratedField(
        expression=Coalesce(
            Cast(F("project"), models.CharField(max_length=SCOPE_LENGTH)), Value("")
        ),
        output_field=ExactCharField(max_length=SCOPE_LENGTH),
        db_persist=True,
    )

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "app_name", "name"], name="unique_project_app_name_cache"
            )
        ]
        indexes = [models.Index(fields=["project", "app_name", "name"])]


class JSONCacheItem(BaseCacheItem):
    """An item whose value is anything that JSON can hold."""

    data = models.JSONField(default=dict, help_text="The value")

    # What the type checker can't find out, as it does not know the project's model.
    objects: ClassVar[models.Manager[JSONCacheItem]]
    project_id: Any
    user_id: Any

    class Meta(BaseCacheItem.Meta):
        verbose_name = "JSON cache item"

    def __str__(self) -> str:
        return ": ".join(self._names())

    def __repr__(self) -> str:
        return f"JSONCacheItem({', '.join(map(repr, self._names()))})"

    def _names(self) -> tuple[str, str, str]:
        title = get_host().project_title(self.project) if self.project else "N/A"
        return title, self.app_name, self.name
