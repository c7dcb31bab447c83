"""The pages: the shelf, one distribution on it, and the buttons on both."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cacheback_app import Job, invalidate_tags
from example_project.shelf import jobs, licences, scan
from example_project.shelf.fill import fill
from example_project.shelf.installed import normalise
from example_project.shelf.models import Distribution
from example_project.shelf.served import Source

_PER_PAGE = 60
_STATES = {Job.HIT: "fresh", Job.STALE: "stale", Job.MISS: ""}


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
