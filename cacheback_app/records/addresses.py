"""Which URL a request goes to, and by what it is told from others. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import httpx

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# What some parser between here and the server would drop, or take for a slash.
_SMUGGLED = re.compile(r"[\x00-\x20\x7f\\]")


def check_base(base: str) -> str:
    """Return ``base`` if it can be the address of an API.

    :raises ValueError: when it is no http(s) URL, or has a query or a fragment.
    """
    import httpx

    url = httpx.URL(base)
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ValueError(f"BASE_ENDPOINT is an http(s) URL without a query, not {base!r}")
    return base


def joined(base: str, parameters: str) -> str:
    """Return the URL of ``parameters`` below ``base``.

    The client's credentials go along with each request, so what would lead to another host, or
    out of the base's path, is refused however it is written.

    :param parameters: a path relative to ``base``, with or without a query; one leading slash is
        taken as none.
    :raises ValueError: for an absolute URL, ``//host``, ``..``, a backslash or white space.
    """
    if not isinstance(parameters, str):
        raise TypeError(f"parameters is text, not {type(parameters).__name__}")
    path, mark, query = parameters.partition("?")
    plain = unquote(path)
    if (
        _SCHEME.match(path)
        or plain.startswith("//")
        or _SMUGGLED.search(plain)
        or _SMUGGLED.search(query)
        or "#" in parameters
        # Servers that take parameters of a segment for none read "..;x" as "..".
        or any(segment.partition(";")[0] in (".", "..") for segment in plain.split("/"))
    ):
        raise ValueError(f"parameters is a path below BASE_ENDPOINT, not {parameters!r}")
    path = path.removeprefix("/")
    return (f"{base.rstrip('/')}/{path}" if path else base) + mark + query


def is_same_origin(ours: httpx.URL, other: httpx.URL) -> bool:
    """Return whether ``other`` may be sent what ``ours`` was: the same server, or its HTTPS."""
    if ours.host != other.host:
        return False
    if ours.scheme == other.scheme:
        return ours.port == other.port
    return (ours.scheme, other.scheme) == ("http", "https") and ours.port is other.port is None


def signature(request: httpx.Request, headers: Iterable[str]) -> str:
    """Return what ``request`` has in common with all requests that one answer serves.

    That is its method, URL (as httpx normalises it), body, and those of its ``headers``. It is
    a digest, as URLs and headers may hold credentials.
    """
    chosen = sorted({name.lower() for name in headers})
    told = [
        request.method,
        str(request.url.copy_with(fragment=None)),
        [[name, request.headers.get_list(name)] for name in chosen],
        hashlib.sha256(request.content).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
