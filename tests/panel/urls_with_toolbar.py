"""The addresses of a site with the Debug Toolbar, and two pages: one reads jobs."""

import contextlib

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from cacheback_app import Job

SCRIPT = "<script>alert(2)</script>"


class Slow(Job):
    """A job with several ways to be read."""

    def fetch(self, name: str) -> str:
        return f"value of {name}"


class Raises(Job):
    """A job whose fetch raises."""

    def fetch(self) -> str:
        raise ValueError("<script>alert(1)</script>")


def reads(request: HttpRequest) -> HttpResponse:
    """Read a job twice, and one that fails."""
    Slow().get(SCRIPT)
    Slow().get(SCRIPT)
    with contextlib.suppress(ValueError):
        Raises().get()
    return nothing(request)


def nothing(request: HttpRequest) -> HttpResponse:
    """Read no job."""
    return HttpResponse("<html><body>done</body></html>")


urlpatterns = [
    path("reads/", reads),
    path("nothing/", nothing),
    path("__debug__/", include("debug_toolbar.urls")),
]
