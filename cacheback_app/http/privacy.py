"""Whether a page may be kept by a cache that many people share."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject

CREDENTIALS = ("Cookie", "Authorization")
"""The request headers that may tell who asks."""


def carries_credentials(request: HttpRequest) -> bool:
    """Return whether a request says anything of who asks."""
    return any(request.headers.get(name) for name in CREDENTIALS)


def is_personal(request: HttpRequest, response: HttpResponseBase | None = None) -> bool:
    """Return whether an answer was made for one person, as far as that has shown.

    :param response: None when no view was run.
    """
    return (
        "Authorization" in request.headers
        or bool(response is not None and response.cookies)
        or _used_session(request)
        # get_token() was called: the page has a token, and CsrfViewMiddleware will set a cookie.
        or bool(request.META.get("CSRF_COOKIE_NEEDS_UPDATE"))
        or _is_signed_in(request)
    )


def _used_session(request: HttpRequest) -> bool:
    session = getattr(request, "session", None)
    if session is None:
        return False
    return bool(session.modified or (session.accessed and not session.is_empty()))


def _is_signed_in(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    # Django's own is lazy: who looks at it has used the session. One that is not was put there by
    # another kind of authentication.
    if user is None or isinstance(user, LazyObject):
        return False
    return bool(user.is_authenticated)
