"""What the OpenAPI schema says beyond what it can see in the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from .serializers import DetailSerializer

F = TypeVar("F", bound=Callable[..., Any])

_REASONS = {
    400: "What was sent can't be stored, or there is no such app.",
    401: "No credentials, or wrong ones.",
    403: "No permission on this project.",
    404: "No such project, or no such item.",
    412: "The item is in another state than the request's headers say.",
    503: "The site has not enabled the cache.",
}


def _header(name: str, description: str, *, sent: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=description,
        response=[200] if sent else False,
    )


_STATE = [
    _header("ETag", "Names the item's state exactly.", sent=True),
    _header("Last-Modified", "When the item was last set, to the second.", sent=True),
]
LIST_HEADERS = [
    _header("If-None-Match", "ETags that the client has: 304 for those."),
    _header("ETag", "Names the page's content exactly.", sent=True),
]
READ_HEADERS = [
    _header("If-None-Match", "ETags that the client has: 304 for those."),
    _header("If-Modified-Since", "A date: 304 when the item is no newer."),
    *_STATE,
]
WRITE_HEADERS = [
    _header("If-Match", "ETags that may be overwritten, or * for any: else 412."),
    _header("If-None-Match", "* for an item that must not exist yet: else 412."),
    _header("If-Unmodified-Since", "A date: 412 when the item is newer."),
]
SET_HEADERS = [*WRITE_HEADERS, *_STATE]


NOT_MODIFIED = OpenApiResponse(description="The client has it.")


def described(
    operation_id: str, success: dict[int, Any], *errors: int, **options: Any
) -> Callable[[F], F]:
    """Return the decorator that describes a view's method.

    :param errors: the codes of errors beside those that every view may answer.
    """
    failures = {
        code: OpenApiResponse(DetailSerializer, _REASONS[code])
        for code in sorted({401, 403, 404, 503, *errors})
    }
    return extend_schema(
        operation_id=operation_id, responses={**success, **failures}, tags=["cache"], **options
    )


def described_read(operation_id: str, found: Any) -> Callable[[F], F]:
    """As :func:`described`, for a read of one item that answers with a ``found``."""
    success = {200: found, 304: NOT_MODIFIED}
    return described(operation_id, success, 400, 412, parameters=READ_HEADERS)
