"""The pages: the shelf, one distribution on it, and the buttons on both."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from time import perf_counter
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cacheback_app import Job, invalidate_tags
from cacheback_app.http import Served, cacheback_page
from cacheback_app.records import Source as Origin
from example_project.shelf import catalogue as packages
from example_project.shelf import jobs, licences, scan
from example_project.shelf.fill import fill
from example_project.shelf.forms import QueryForm
from example_project.shelf.installed import normalise
from example_project.shelf.models import Distribution
from example_project.shelf.served import Source

_PER_PAGE = 60
_STATES = {Job.HIT: "fresh", Job.STALE: "stale", Job.MISS: ""}
_ORIGINS = {
    Origin.CACHE: "fresh",
    Origin.NOT_MODIFIED: "confirmed",
    Origin.NETWORK: "fetched",
    Origin.STALE: "stale",
}


def _shelf_sources() -> dict[str, Source]:
    return {
        "rows": Source("The list", jobs.shelf.get, jobs.shelf),
        "totals": Source("The totals", jobs.totals, jobs.totals),
    }


def _distribution_sources(key: str) -> dict[str, Source]:
    row, of_row = {"key": key}, {"distribution__key": key}
    return {
        "row": Source("The description", jobs.rows.get, jobs.rows, kwargs=row),
        "report": Source("The report", jobs.reports.get, jobs.reports, args=(key,)),
        "requirements": Source(
            "The list of requirements", jobs.requirements.get, jobs.requirements, kwargs=of_row
        ),
    }


@never_cache
@require_safe
def shelf(request: HttpRequest) -> HttpResponse:
    """Show the list of distributions, and the totals over it."""
    sources = _shelf_sources()
    rows = sources["rows"].serve()
    wanted = request.GET.get("q", "").strip()
    matching = [row for row in rows.value if _matches(row, wanted)]
    page = Paginator(matching, _PER_PAGE).get_page(request.GET.get("page"))
    # Looking at what is cached triggers nothing: the list must not make a report of each.
    known = [(row, jobs.reports.explain(row.key)) for row in page]
    context = {
        "rows": rows,
        "totals": sources["totals"].serve(),
        "page": page,
        "listed": [(row, _STATES[report.status], report.age) for row, report in known],
        "wanted": wanted,
        "scanned": scan.progress(),
    }
    return _page(request, "shelf/shelf.html", context)


def _matches(row: Distribution, wanted: str) -> bool:
    return wanted.lower() in f"{row.key} {row.name} {row.summary}".lower()


@never_cache
@require_safe
def distribution(request: HttpRequest, name: str) -> HttpResponse:
    """Show one distribution: its row, its requirements and the report that is slow to make."""
    key = normalise(name)
    if key != name:
        return redirect("shelf:distribution", key)
    sources = _distribution_sources(key)
    try:
        row = sources["row"].serve()
    except Distribution.DoesNotExist:
        return render(request, "404.html", {"name": name}, status=404)
    context = {
        "row": row,
        "requirements": sources["requirements"].serve(),
        "report": sources["report"].serve(),
        "licences": _licences(row.value),
        "on_shelf": {each.key for each in jobs.shelf.get()},
    }
    return _page(request, "shelf/distribution.html", context)


def _licences(row: Distribution) -> dict[str, str]:
    try:
        return licences.of(row)
    except PackageNotFoundError:
        return {}


@require_safe
def report(request: HttpRequest, name: str) -> HttpResponse:
    """Give the report of one distribution to programs, or tell them that they have it already."""
    try:
        return _report(request, key=normalise(name))
    except PackageNotFoundError as exc:
        raise Http404 from exc


@cacheback_page(jobs.reports, public=True)
def _report(request: HttpRequest, *, key: str, served: Served) -> HttpResponse:
    return JsonResponse({"key": key, **asdict(served.value)})


@require_POST
def act_on_shelf(request: HttpRequest, action: str, value: str) -> HttpResponse:
    """Invalidate or forget one value of the list page."""
    _act(request, action, _shelf_sources(), value)
    return redirect("shelf:shelf")


@require_POST
def act(request: HttpRequest, name: str, action: str, value: str) -> HttpResponse:
    """Invalidate or forget one value of a distribution's page."""
    key = normalise(name)
    _act(request, action, _distribution_sources(key), value)
    return redirect("shelf:distribution", key)


def _act(request: HttpRequest, action: str, sources: Mapping[str, Source], value: str) -> None:
    source = sources.get(value)
    if source is None:
        raise Http404
    if action == "invalidate":
        source.invalidate()
        told = "is invalidated. The old value is served until the background has the new one."
    else:
        source.forget()
        told = "was forgotten, so this page had to wait for a new one."
    messages.success(request, f"{source.title} {told}")


@require_POST
def invalidate_all(request: HttpRequest, name: str) -> HttpResponse:
    """Invalidate, by its tag, everything that is about one distribution."""
    key = normalise(name)
    invalidate_tags(jobs.tag_of(key))
    messages.success(request, "Everything about it is invalidated, by its tag.")
    return redirect("shelf:distribution", key)


@never_cache
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show the shelf as its API has it, and query the records that were kept of it."""
    context: dict[str, Any] = {"state": "failed", "lifetime": packages.LIFETIME.total_seconds()}
    try:
        context["answer"] = answer = packages.read()
    except packages.FAILURES as exc:
        context["problem"] = packages.in_words(exc)
    else:
        context["state"] = _ORIGINS[answer.told.source]
        context["age"] = (datetime.now(UTC) - answer.told.fetched_at).total_seconds()
        context["problem"] = packages.in_words(answer.told.error)
    context["form"] = form = QueryForm(request.GET or None)
    if form.is_valid():
        began = perf_counter()
        context["found"] = packages.endpoint().query(form.cleaned_data["query"])
        context["took"] = perf_counter() - began
    return _page(request, "shelf/catalogue.html", context)


@require_POST
def ask_again(request: HttpRequest) -> HttpResponse:
    """Ask the API for what is cached, too."""
    try:
        told = packages.read(refresh=True).told
    except packages.FAILURES as exc:
        messages.error(request, f"The API failed: {packages.in_words(exc)}.")
        return redirect("shelf:catalogue")
    if told.source is Origin.STALE:
        messages.warning(request, f"The API failed: {packages.in_words(told.error)}.")
    elif told.source is Origin.NOT_MODIFIED:
        messages.success(request, "The API was asked, and nothing has changed (304).")
    else:
        messages.success(request, "The API was asked, and what it has is kept.")
    return redirect("shelf:catalogue")


@require_POST
def refill(request: HttpRequest) -> HttpResponse:
    """Fill the shelf again, as `manage.py fill_shelf` does."""
    filled = fill()
    messages.success(
        request,
        f"The shelf was filled again: {filled.added} added, {filled.changed} changed, "
        f"{filled.removed} removed, {filled.unchanged} as before. "
        "All that was cached from it is stale now.",
    )
    return redirect("shelf:shelf")


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, {**context, "queue": settings.CACHEBACK_TASK_QUEUE})
