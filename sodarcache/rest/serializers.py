"""What the API sends and takes."""

from __future__ import annotations

import uuid

from rest_framework import serializers

from sodarcache.host import get_host
from sodarcache.models import JSONCacheItem

MAX_BULK = 1000
"""Items of one bulk request, so that the request and its one statement stay of a sane size."""


class CacheItemSummarySerializer(serializers.ModelSerializer[JSONCacheItem]):
    """An item without its data."""

    project = serializers.SerializerMethodField(help_text="UUID of the project")
    user = serializers.SerializerMethodField(help_text="Who set it last")

    class Meta:
        model = JSONCacheItem
        fields = ["project", "app_name", "name", "date_modified", "user"]
        read_only_fields = fields

    def get_project(self, item: JSONCacheItem) -> uuid.UUID | None:
        """Return the project's UUID."""
        if item.project is None:
            return None
        project_uuid: uuid.UUID = get_host().project_uuid(item.project)
        return project_uuid

    def get_user(self, item: JSONCacheItem) -> str | None:
        """Return how this site names the user."""
        return None if item.user is None else get_host().user_reference(item.user)


class CacheItemSerializer(CacheItemSummarySerializer):
    """An item as a whole."""

    data = serializers.JSONField(read_only=True)  # type: ignore[assignment]

    class Meta(CacheItemSummarySerializer.Meta):
        fields = [*CacheItemSummarySerializer.Meta.fields, "data"]
        read_only_fields = fields


# Values are checked by the API, which names the place in the data; the classes below say what
# fields there are.


class CacheItemDataSerializer(serializers.Serializer[dict[str, object]]):
    """The body of a set."""

    data = serializers.JSONField(  # type: ignore[assignment]
        allow_null=True, help_text="The value: anything that JSON can hold"
    )


class NewCacheItemSerializer(CacheItemDataSerializer):
    """One item of a bulk set."""

    app_name = serializers.CharField(trim_whitespace=False)
    name = serializers.CharField(trim_whitespace=False)


class BulkSerializer(serializers.Serializer[dict[str, object]]):
    """The body of a bulk set."""

    items = NewCacheItemSerializer(  # type: ignore[call-arg]
        many=True, allow_empty=False, max_length=MAX_BULK
    )


class DetailSerializer(serializers.Serializer[dict[str, object]]):
    """What a write answers, and every error."""

    detail = serializers.CharField()


class UpdateTimeSerializer(serializers.Serializer[dict[str, object]]):
    """When an item was last set."""

    update_time = serializers.FloatField(help_text="Seconds since the epoch")
