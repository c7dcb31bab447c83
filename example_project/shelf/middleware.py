"""The page's own time, and a policy that lets it load nothing but its style sheet and icon."""

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest, HttpResponse

_Next = Callable[[HttpRequest], HttpResponse]

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def page_timer(get_response: _Next) -> _Next:
    """Note when the request arrived, for the page to print and for the browser's network panel."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.arrived = started = perf_counter()  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers["Server-Timing"] = f"total;dur={(perf_counter() - started) * 1000:.1f}"
        return response

    return middleware


def content_security_policy(get_response: _Next) -> _Next:
    """Send the policy with the shelf's pages; Django's own debugging pages need inline styles."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        match = request.resolver_match
        if match is not None and match.app_name == "shelf" and response.status_code < 500:
            response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response

    return middleware
