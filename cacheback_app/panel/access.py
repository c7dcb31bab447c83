"""Who sees the panel, and who may press its buttons."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny

MANAGE_CACHE = "cacheback_app.manage_cache"
"""The permission to act on cached values, and to see them."""

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    """Let only staff see a page: others get 403, and who is not logged in may log in."""

    @never_cache
    @xframe_options_deny
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _ask_to_log_in(request)
        if not (request.user.is_active and request.user.is_staff):
            raise PermissionDenied("The panel is for staff.")
        return view(request, *args, **kwargs)

    return checked


def for_managers(view: View) -> View:
    """Let only staff with the permission ``cacheback_app.manage_cache`` in."""

    @for_staff
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_manage(request):
            raise PermissionDenied("This needs the permission to manage cached values.")
        return view(request, *args, **kwargs)

    return checked


def may_manage(request: HttpRequest) -> bool:
    """Return whether the user may act on cached values, and see them."""
    return request.user.has_perm(MANAGE_CACHE)


def _ask_to_log_in(request: HttpRequest) -> HttpResponse:
    if is_fragment(request):  # a login page is no part of this one: have all of it loaded again
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path(), _login_url())


def is_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for the part of a page that changes."""
    return request.headers.get("HX-Request") == "true"


def _login_url() -> str | None:
    """Return the admin's login page, which staff know; without an admin, that of the site."""
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return None
