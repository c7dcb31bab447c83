"""The views: four about one item, and two about many."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.generics import ListAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from sodarcache.models import JSONCacheItem
from sodarcache.new_item import NewItem

from . import schema
from .base import GET_PERMISSION, NO_ITEM, SET_PERMISSION, SodarcacheAPIView, refused, refused_write
from .conditional import delete_if, set_if
from .pagination import ItemPagination
from .preconditions import (
    CACHE_CONTROL,
    CONDITIONAL_HEADERS,
    Preconditions,
    Validators,
    conditional_answer,
)
from .serializers import (
    BulkSerializer,
    CacheItemDataSerializer,
    CacheItemSerializer,
    CacheItemSummarySerializer,
    DetailSerializer,
    UpdateTimeSerializer,
)

_OK = {"detail": "ok"}


class _ReadAPIView(SodarcacheAPIView):
    """A view that changes nothing."""

    permission_required = GET_PERMISSION
    http_method_names = ["get", "head", "options"]


class CacheItemDateRetrieveAPIView(_ReadAPIView):
    """When an item was last set, in seconds since the epoch. Its data is not read."""

    @schema.described_read("sodarcache_retrieve_date", UpdateTimeSerializer)
    def get(
        self, request: Request, project: uuid.UUID, app_name: str, item_name: str
    ) -> HttpResponseBase:
        """Answer with the time, or with 304."""
        state = self.state(app_name, item_name)
        return state.answer(request) or Response(
            {"update_time": state.date_modified.timestamp()}, headers=state.headers()
        )


class CacheItemRetrieveAPIView(_ReadAPIView):
    """An item with its data. For a client that has the newest one already the data is not read."""

    @schema.described_read("sodarcache_retrieve", CacheItemSerializer)
    def get(
        self, request: Request, project: uuid.UUID, app_name: str, item_name: str
    ) -> HttpResponseBase:
        """Answer with the item, or with 304."""
        if not CONDITIONAL_HEADERS.isdisjoint(request.headers):
            answer = self.state(app_name, item_name).answer(request)
            if answer is not None:
                return answer
        with refused():
            item = self.backend.get_cache_item(app_name, item_name, self.project)
        if item is None:
            raise NotFound(NO_ITEM)
        state = Validators(item.revision, item.date_modified)
        return Response(CacheItemSerializer(item).data, headers=state.headers())


class CacheItemSetAPIView(SodarcacheAPIView):
    """Set an item, new or not; with a condition on what is there, if the client sends one."""

    permission_required = SET_PERMISSION
    http_method_names = ["post", "options"]

    @schema.described(
        "sodarcache_set",
        {200: DetailSerializer},
        400,
        412,
        request=CacheItemDataSerializer,
        parameters=schema.SET_HEADERS,
    )
    def post(self, request: Request, project: uuid.UUID, app_name: str, item_name: str) -> Response:
        """Set it."""
        if not isinstance(request.data, dict) or "data" not in request.data:
            raise ParseError('The body must be a JSON object with a "data".')
        preconditions = Preconditions.of(request)
        values: dict[str, Any] = {
            "app_name": app_name,
            "name": item_name,
            "data": request.data["data"],
            "project": self.project,
            "user": self.user,
        }
        with refused_write():
            if preconditions:
                item = set_if(preconditions, NewItem(**values))
            else:
                item = self.backend.set_cache_item(**values)
        return Response(_OK, headers=Validators(item.revision, item.date_modified).headers())


class CacheItemDeleteAPIView(SodarcacheAPIView):
    """Delete an item; with a condition on what is there, if the client sends one."""

    permission_required = SET_PERMISSION
    http_method_names = ["delete", "options"]

    @schema.described(
        "sodarcache_delete",
        {204: OpenApiResponse(description="It is gone.")},
        400,
        412,
        parameters=schema.WRITE_HEADERS,
    )
    def delete(
        self, request: Request, project: uuid.UUID, app_name: str, item_name: str
    ) -> Response:
        """Delete it."""
        if not delete_if(Preconditions.of(request), self.named(app_name, item_name)):
            raise NotFound(NO_ITEM)
        return Response(status=204)


class CacheItemSetBulkAPIView(SodarcacheAPIView):
    """Set several items, all or none."""

    permission_required = SET_PERMISSION
    http_method_names = ["post", "options"]

    @schema.described("sodarcache_set_bulk", {200: DetailSerializer}, 400, request=BulkSerializer)
    def post(self, request: Request, project: uuid.UUID) -> Response:
        """Set them."""
        if Preconditions.of(request):
            raise ParseError("Conditions are for requests about one item.")
        body = BulkSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        new = [
            NewItem(**item, project=self.project, user=self.user)
            for item in body.validated_data["items"]
        ]
        with refused_write():
            self.backend.set_cache_items(new)
        return Response(_OK)


class CacheItemListAPIView(_ReadAPIView, ListAPIView[JSONCacheItem]):
    """The project's items by app and name, without their data, in pages."""

    serializer_class = CacheItemSummarySerializer
    pagination_class = ItemPagination
    filter_backends = []

    def get_queryset(self) -> QuerySet[JSONCacheItem]:
        """Return the items that were asked for."""
        items = self.items().defer("data").select_related("project", "user")
        app_name = self.request.query_params.get("app_name")
        if app_name is not None:
            with refused():
                self.backend.check_app_name(app_name)
            items = items.filter(app_name=app_name)
        return items.order_by("app_name", "name", "pk")

    @schema.described(
        "sodarcache_list",
        {200: CacheItemSummarySerializer(many=True), 304: schema.NOT_MODIFIED},
        400,
        parameters=[
            OpenApiParameter("app_name", OpenApiTypes.STR, description="Only this app's items"),
            *schema.LIST_HEADERS,
        ],
    )
    def get(  # type: ignore[override] # a 304 is Django's
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer with a page, or with 304.

        There is no ``Last-Modified``: no date of what is left tells that an item was deleted.
        """
        response = self.list(request, *args, **kwargs)
        digest = hashlib.sha256(JSONRenderer().render(response.data)).hexdigest()
        etag = f'"{digest[:32]}"'
        response["ETag"], response["Cache-Control"] = etag, CACHE_CONTROL
        return conditional_answer(request, etag) or response
