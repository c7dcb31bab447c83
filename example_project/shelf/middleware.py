"""The page's own time, and policies that let it load nothing but what the site serves itself."""

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest, HttpResponse

_Next = Callable[[HttpRequest], HttpResponse]

_EVERYWHERE = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

_OWN_PAGES = f"default-src 'none'; style-src 'self'; img-src 'self'; {_EVERYWHERE}"

_POLICIES = {
    "shelf": _OWN_PAGES,
    "inventory": _OWN_PAGES,
    "cacheback": f"default-src 'self'; {_EVERYWHERE}",
}
"""By the name of the application whose page it is."""


def page_timer(get_response: _Next) -> _Next:
    """Note when the request arrived, for the page to print and for the browser's network panel."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.arrived = started = perf_counter()  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers["Server-Timing"] = f"total;dur={(perf_counter() - started) * 1000:.1f}"
        return response

    return middleware


def content_security_policy(get_response: _Next) -> _Next:
    """Send the policies; Django's own debugging pages need inline styles."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        match = request.resolver_match
        policy = _POLICIES.get(match.app_name) if match is not None else None
        if policy is not None and response.status_code < 500:
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware
