"""Views whose pages are as fresh as the job's value that they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date
from django.utils.translation import get_language

from cacheback_app import Call
from cacheback_app.durations import Duration, seconds
from cacheback_app.engine.slot import as_call
from cacheback_app.serving import Readable, Served, aserve, job_of, serve

from . import headers
from .privacy import CREDENTIALS, carries_credentials, is_personal

R = TypeVar("R")
"""What a view returns: a response, or a coroutine of one."""
SAFE = ("GET", "HEAD")
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How the answers of one view are described."""

    public: bool | None = None
    max_stale: float | None = None
    version: str = ""
    vary: Sequence[str] = ()

    def not_modified(
        self, request: HttpRequest, served: Served, response: HttpResponseBase | None = None
    ) -> HttpResponseBase | None:
        """Return 304 (or 412) when the client has what it asks for, None when it has not.

        :param response: the one that would be sent, if it was made already.
        """
        if request.method not in SAFE or served.freshness is None:
            return None
        if self.public and is_personal(request, response):
            return None
        found = get_conditional_response(
            request,
            etag=self._etag(request, served),
            last_modified=headers.last_modified(served.freshness),
            response=response,  # type: ignore[arg-type]
        )
        if found is None or found is response:
            return None
        if found.status_code == 304:
            self._describe(request, found, served)
        return found

    def describe(
        self, request: HttpRequest, response: HttpResponseBase, served: Served
    ) -> HttpResponseBase:
        """Return ``response`` with the headers, set when it is rendered."""
        if request.method not in SAFE or response.status_code != OK:
            return response
        if isinstance(response, SimpleTemplateResponse):  # its rendering may look at the session
            response.add_post_render_callback(lambda done: self._describe(request, done, served))
        else:
            self._describe(request, response, served)
        return response

    def _describe(self, request: HttpRequest, response: Any, served: Served) -> None:
        if self.public is not True:
            patch_vary_headers(response, CREDENTIALS)
        if self.vary:
            patch_vary_headers(response, self.vary)
        freshness = served.freshness
        if freshness is None:  # what the site itself does not keep is not for others to keep
            response.headers.setdefault("Cache-Control", "no-store")
            return
        personal = is_personal(request, response)
        if personal and self.public:
            # Its tag would not tell one person's page from another's.
            response.headers.setdefault("Cache-Control", "private, no-cache")
            return
        is_private = personal or (self.public is None and carries_credentials(request))
        scope = "private" if is_private or self.public is False else "public"
        directives = headers.cache_control(freshness, scope, self.max_stale)
        response.headers.setdefault("Cache-Control", directives)
        response.headers["Age"] = headers.age(freshness)
        response.headers["ETag"] = self._etag(request, served)
        second = headers.last_modified(freshness)
        if second is not None:
            response.headers["Last-Modified"] = http_date(second)

    def _etag(self, request: HttpRequest, served: Served) -> str:
        names = self.vary if self.public else (*self.vary, *CREDENTIALS)
        asked = [request.headers.get(name, "") for name in names]
        return headers.etag(served, [self.version, get_language() or "", *asked])


def cacheback_page(
    job: Readable,
    *,
    args: Callable[..., Any] | None = None,
    public: bool | None = None,
    max_stale: Duration | None = None,
    version: str = "",
    vary: Sequence[str] = (),
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a view, sync or async, whose page shows one job's value::

        @cacheback_page(report, args=lambda request, year: (year,))
        def report_page(request, year, *, served):
            return render(request, "report.html", {"report": served.value})

    The view is given the value, and how fresh it is, as ``served``. It is not run for a client
    that has the page already. Its 200s to GET and HEAD get ``Cache-Control``, ``Age``, ``ETag``,
    ``Last-Modified`` and ``Vary``; a ``Cache-Control`` that it sets itself is kept.

    :param job: a job, a job class, or a decorated function.
    :param args: gives the job's arguments for those of the view: a tuple, a mapping of keywords, a
        ``Call``, or one argument that is none of these. By default, they are the URL's.
    :param public: whether shared caches may keep the page. True is a promise that it is the same
        for everybody. False never lets them. None lets them keep pages that were made for nobody
        in particular: neither request nor response has a cookie, or credentials.
    :param max_stale: how long a stale copy may be used, if that is shorter than the job's own.
    :param version: changed with the template, so that no client keeps what the old one made.
    :param vary: request headers by which the page differs, as ``["HX-Request"]``.
    :raises TypeError: when ``job`` is no job.
    """
    job_of(job)  # raises for what is none
    page = Page(public=public, max_stale=seconds(max_stale), version=version, vary=tuple(vary))

    return lambda view: wraps(view)(_answering(view, job, args, page))


def _answering(
    view: Any, job: Readable, args: Callable[..., Any] | None, page: Page
) -> Callable[..., Any]:
    """Return what answers in the place of ``view``: a coroutine function if that is one."""

    async def answer_async(request: HttpRequest, *given: Any, **named: Any) -> Any:
        call = _call(args, request, given, named)
        served = await aserve(job, *call.args, **call.kwargs)
        found = page.not_modified(request, served)
        if found is not None:
            return found
        response = await view(request, *given, served=served, **named)
        return page.describe(request, response, served)

    def answer(request: HttpRequest, *given: Any, **named: Any) -> Any:
        call = _call(args, request, given, named)
        served = serve(job, *call.args, **call.kwargs)
        found = page.not_modified(request, served)
        if found is not None:
            return found
        return page.describe(request, view(request, *given, served=served, **named), served)

    return answer_async if iscoroutinefunction(view) else answer


def with_freshness(
    request: HttpRequest,
    response: HttpResponseBase,
    served: Served,
    *,
    public: bool | None = None,
    max_stale: Duration | None = None,
    version: str = "",
    vary: Sequence[str] = (),
) -> HttpResponseBase:
    """Return ``response`` with the headers that tell how fresh it is, or 304 instead of it.

    For views that read for themselves::

        served = serve(report, year)        # or await aserve(...)
        response = render(request, "report.html", {"report": served.value})
        return with_freshness(request, response, served)

    :param served: the value that the response was made from. The options are those of
        :func:`cacheback_page`.
    """
    page = Page(public=public, max_stale=seconds(max_stale), version=version, vary=tuple(vary))
    if response.status_code == OK:
        found = page.not_modified(request, served, response)
        if found is not None:
            return found
    return page.describe(request, response, served)


def _call(
    args: Callable[..., Any] | None,
    request: HttpRequest,
    given: tuple[Any, ...],
    named: Mapping[str, Any],
) -> Call:
    if args is None:
        return Call(given, named)
    wanted = args(request, *given, **named)
    return Call((), wanted) if isinstance(wanted, Mapping) else as_call(wanted)
