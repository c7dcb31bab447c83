"""The items in Django's admin: look, delete, and have apps set theirs anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cacheback_app.exceptions import QueueError

from .host import get_host
from .models import JSONCacheItem
from .syncing import Queued, Step, Sync, plugins_of

if TYPE_CHECKING:  # Django's own class takes no parameters
    ItemAdmin: TypeAlias = admin.ModelAdmin[JSONCacheItem]
    AnyAdmin: TypeAlias = admin.ModelAdmin[Any]
else:
    ItemAdmin = AnyAdmin = admin.ModelAdmin

LONGEST_DATA = 100_000
"""Characters of JSON that the page of an item shows."""

if get_host().defines_project:
    from .models import Project

    @admin.register(Project)
    class ProjectAdmin(AnyAdmin):
        """The projects of a site that has no model of its own for them."""

        list_display = ("title", "sodar_uuid")
        search_fields = ("title", "sodar_uuid")
        readonly_fields = ("sodar_uuid",)


@admin.register(JSONCacheItem)
class JSONCacheItemAdmin(ItemAdmin):
    """Items are set by apps, so nothing can be added or changed here."""

    list_display = ("name", "app_name", "project", "date_modified", "user")
    list_filter = ("app_name", ("project", admin.RelatedOnlyFieldListFilter), "date_modified")
    list_select_related = ("project", "user")
    list_per_page = 50
    search_fields = ("name", "app_name", "sodar_uuid")
    ordering = ("-date_modified", "pk")
    actions = ("sync_now",)
    fields: ClassVar[Any] = (
        "project", "app_name", "name", "date_modified", "user", "sodar_uuid", "formatted_data",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[JSONCacheItem]:
        """Return the items without their data, which may be large and no list shows."""
        return super().get_queryset(request).defer("data")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds items by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes them."""
        return False

    @admin.display(description="data")
    def formatted_data(self, item: JSONCacheItem) -> SafeString:
        """Return the data as readers of JSON like it, as text."""
        text = json.dumps(item.data, indent=2, ensure_ascii=False, sort_keys=True)
        if len(text) > LONGEST_DATA:
            text = f"{text[:LONGEST_DATA]}\n... {len(text):,} characters"
        return format_html("<pre>{}</pre>", text)

    def has_sync_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may have items set anew: Django's permission to change them."""
        return request.user.has_perm("sodarcache.change_jsoncacheitem")

    @admin.action(description="Sync now, on the task queue", permissions=["sync"])
    def sync_now(self, request: HttpRequest, items: QuerySet[JSONCacheItem]) -> None:
        """Have the apps' plugins set the selected items anew, each in a task of its own."""
        try:
            done = Counter(step.queue() for step in _steps(items))
        except QueueError as exc:
            text = f"The task queue took nothing more: {type(exc).__name__}"
            self.message_user(request, text, messages.ERROR)
            return
        if not done:
            self.message_user(request, "No app has a plugin for these items.", messages.WARNING)
        for outcome, number in done.items():
            level = messages.ERROR if outcome is Queued.NO else messages.SUCCESS
            self.message_user(request, f"{number} {outcome.value}", level)
        for item in items:
            self.log_change(request, item, "sync now")


def _steps(items: QuerySet[JSONCacheItem]) -> Iterator[Step]:
    """Yield the updates of the items: of each plugin of their app, for their project and name."""
    for item in items.select_related("project"):
        plugins = plugins_of(item.app_name)
        if plugins:
            yield Step(item.project, plugins, Sync(item.project, item.app_name, item.name))
