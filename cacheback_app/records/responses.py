"""What an API's response says: one record, a list of them, or nothing."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from cacheback_app.exceptions import InvalidResponse

from .answers import Key, Shape
from .forms import key_of

if TYPE_CHECKING:
    import httpx

M = TypeVar("M")

Parsed = tuple[list[M], Shape]
"""Records, and how the server gave them."""


def parsed(response: httpx.Response, payload: Any, model: type[M]) -> Parsed[M]:
    """Return the validated records in ``payload``; none when it is empty or null.

    :param payload: JSON, or what JSON would be parsed to.
    :raises InvalidResponse: for what is not JSON, or does not fit ``model``.
    """
    is_json = isinstance(payload, bytes)
    content = payload.strip() if is_json else payload
    if content is None or content in (b"", b"null"):
        return [], Shape.NONE
    is_list = content.startswith(b"[") if is_json else isinstance(content, list)
    wanted: Any = list[model] if is_list else model  # type: ignore[valid-type]
    adapter = _adapter(wanted)
    validate = adapter.validate_json if is_json else adapter.validate_python
    try:
        found = validate(content)
    except ValidationError as exc:
        raise _invalid(response, model, exc) from exc
    return (found, Shape.LIST) if is_list else ([found], Shape.SINGLE)


def identifiers(model: type, text: str) -> list[Any]:
    """Return the ids that ``text`` may be in a URL: ``7`` is two if ids are of ``int | str``."""
    adapter = _adapter(_id_type(model))
    found: dict[Key, Any] = {}
    for read in (str, int):
        with suppress(ValueError):  # as pydantic's errors are
            identifier = adapter.validate_python(read(text))
            found[key_of(identifier)] = identifier
    return list(found.values())


def last_segment(url: httpx.URL) -> str:
    """Return the last part of a URL's path, decoded; "" when there is none."""
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return unquote(path.rstrip("/").rpartition("/")[2])


def _id_type(model: Any) -> Any:
    # Where a generic model says what its ids are.
    described = getattr(model, "__pydantic_fields__", None)
    return get_type_hints(model)["id"] if described is None else described["id"].annotation


@lru_cache(maxsize=256)
def _adapter(wanted: Any) -> TypeAdapter[Any]:
    return TypeAdapter(wanted)


def _invalid(response: httpx.Response, model: type, exc: ValidationError) -> InvalidResponse:
    problems = exc.errors(include_url=False, include_context=False, include_input=False)
    errors = tuple((".".join(map(str, one["loc"])), one["msg"]) for one in problems)
    # Without its query and credentials, as messages end up in logs.
    url = response.request.url.copy_with(query=None, username="", password="")
    asked = f"{response.request.method} {url}"
    return InvalidResponse(asked, model, errors, response.status_code)
