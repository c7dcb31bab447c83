"""A site whose pages tell how fresh they are."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from cacheback_app import Call, Job, cacheback
from cacheback_app.http import Served, aserve, cacheback_page, serve, with_freshness

fetched: list[Any] = []
"""The arguments of every fetch."""
run: list[str] = []
"""The views that were run."""


class Report(Job):
    """Each fetch gives another value."""

    lifetime = 600
    cache_ttl = 3600

    def fetch(self, year: int) -> str:
        fetched.append(year)
        return f"{year} #{len(fetched)}"


@cacheback(lifetime="1m")
def price(name: str) -> str:
    """Return another price each time."""
    fetched.append(name)
    return f"{name} #{len(fetched)}"


reports = Report()


def answer(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    run.append(request.path)
    return HttpResponse(served.value)


async def aanswer(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    run.append(request.path)
    return HttpResponse(served.value)


def with_session(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    return HttpResponse(f"{served.value} {request.session.get('name')}")


def with_token(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    return HttpResponse(f"{served.value} {get_token(request)}")


def with_cookie(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    response = HttpResponse(served.value)
    response.set_cookie("seen", "1")
    return response


def with_template(request: HttpRequest, *, served: Served, **_: Any) -> TemplateResponse:
    return TemplateResponse(
        request, "http/session.html", {"value": served.value, "session": request.session}
    )


def with_headers(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    return HttpResponse(served.value, headers={"Cache-Control": "no-store"})


def missing(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    return HttpResponse("nothing", status=404)


def key_holder(request: HttpRequest, *, served: Served, **_: Any) -> HttpResponse:
    request.user = type("KeyHolder", (AnonymousUser,), {"is_authenticated": True})()
    return HttpResponse(served.value)


def by_hand(request: HttpRequest, year: int) -> HttpResponseBase:
    served = serve(reports, year)
    return with_freshness(request, HttpResponse(served.value), served, public=True)


async def aby_hand(request: HttpRequest, year: int) -> HttpResponseBase:
    served = await aserve(reports, year)
    return with_freshness(request, HttpResponse(served.value), served, public=True)


def login(request: HttpRequest, name: str) -> HttpResponse:
    request.session["name"] = name
    return HttpResponse()


class Page(View):
    """A page of a class, one of whose methods is no read."""

    @method_decorator(cacheback_page(Report))
    def get(self, request: HttpRequest, year: int, *, served: Served) -> HttpResponse:
        return answer(request, served=served)


open_to_all = cacheback_page(Report, public=True)
urlpatterns = [
    path("r/<int:year>/", cacheback_page(Report)(answer)),
    path("async/<int:year>/", cacheback_page(reports)(aanswer)),
    path("public/<int:year>/", open_to_all(answer)),
    path("public/session/<int:year>/", open_to_all(with_session)),
    path("public/token/<int:year>/", open_to_all(with_token)),
    path("public/template/<int:year>/", open_to_all(with_template)),
    path("private/<int:year>/", cacheback_page(Report, public=False)(answer)),
    path("session/<int:year>/", cacheback_page(Report)(with_session)),
    path("token/<int:year>/", cacheback_page(Report)(with_token)),
    path("cookie/<int:year>/", cacheback_page(Report)(with_cookie)),
    path("template/<int:year>/", cacheback_page(Report)(with_template)),
    path("headers/<int:year>/", cacheback_page(Report)(with_headers)),
    path("missing/<int:year>/", cacheback_page(Report)(missing)),
    path("keys/<int:year>/", cacheback_page(Report)(key_holder)),
    path("price/<slug:name>/", cacheback_page(price)(answer)),
    path("tuple/", cacheback_page(Report, args=lambda request: (2026,))(answer)),
    path("single/", cacheback_page(Report, args=lambda request: 2026)(answer)),
    path("mapping/", cacheback_page(Report, args=lambda request: {"year": 2026})(answer)),
    path("call/", cacheback_page(Report, args=lambda request: Call((2026,)))(answer)),
    path("short/<int:year>/", cacheback_page(Report, max_stale="5s")(answer)),
    path("v2/<int:year>/", cacheback_page(Report, version="2")(answer)),
    path("htmx/<int:year>/", cacheback_page(Report, vary=["HX-Request"])(answer)),
    path("hand/<int:year>/", by_hand),
    path("ahand/<int:year>/", aby_hand),
    path("login/<slug:name>/", login),
    path("class/<int:year>/", Page.as_view()),
]
