"""The panel's pages. A GET looks; what acts is a POST."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import get_script_prefix, reverse
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from cacheback_app.catalogue import KnownJob
from cacheback_app.previews import printable

from . import actions, calls, charts, entries, figures, status
from .access import for_managers, for_staff, is_fragment, may_manage
from .forms import ActionForm, CallForm
from .pages import Filter, headings, here

TEMPLATES = "cacheback_app/panel"

POLL_SECONDS = 5
"""How long a live page waits before it asks for the figures again."""


@require_safe
@for_staff
def overview(request: HttpRequest) -> HttpResponse:
    """List the jobs with their figures."""
    wanted = Filter.of(request.GET)
    shown = figures.overview(wanted)
    page = shown.page
    context = {
        "overview": shown,
        "status": status.of(shown.reading),
        "filter": wanted,
        "columns": headings(request, wanted),
        "here": here(request),
        "live_switch": here(request, live=0 if wanted.live else None),
        "pages": {
            "previous": page.has_previous() and here(request, page=page.previous_page_number()),
            "next": page.has_next() and here(request, page=page.next_page_number()),
        },
    }
    return _page(request, "overview", context)


@require_safe
@for_staff
def job(request: HttpRequest, path: str) -> HttpResponse:
    """Show one job, and the entry that the query string names."""
    wanted = Filter.of(request.GET)
    reading, row = figures.one(path, wanted.minutes)
    known = calls.known_jobs().get(path)
    if known is None and not row.is_seen:
        raise Http404("No such job was imported here or seen elsewhere.")
    context: dict[str, Any] = {
        "row": row,
        "filter": wanted,
        "known": known,
        "status": status.of(reading),
        "charts": charts.of(row),
        "here": here(request),
        "minutes_switch": [(n, here(request, minutes=n)) for n in wanted.times],
        "live_switch": here(request, live=0 if wanted.live else None),
    }
    if known is not None:
        context |= _lookup(request, known)
    return _page(request, "job", context)


@require_POST
@for_managers
@csrf_protect
def act(request: HttpRequest, path: str) -> HttpResponse:
    """Do what a button says, and show the entry again."""
    known = calls.known_jobs().get(path)
    action = ActionForm(request.POST)
    if known is None or not action.is_valid():
        raise Http404("There is no such job or action.")
    form = CallForm(known, request.POST)
    if not form.is_valid():
        _tell(request, messages.ERROR, "Nothing was done: these are no arguments of this job.")
    else:
        try:
            done = actions.perform(request, action.cleaned_data["action"], form.call)
            _tell(request, messages.SUCCESS, done)
        except actions.Refused as exc:
            _tell(request, messages.ERROR, str(exc))
    query = urlencode([(name, request.POST.get(name, "")) for name in form.fields])
    return HttpResponseRedirect(f"{reverse('cacheback:job', args=[known.name])}?{query}#entry")


def _lookup(request: HttpRequest, known: KnownJob) -> dict[str, Any]:
    """Return what a job's page tells of its calls, and of one if it is named."""
    is_asked = any(name in request.GET for name in ("args", "kwargs", "init"))
    form = CallForm(known, request.GET if is_asked else None)
    entry = None
    if is_asked and form.is_valid():
        try:
            entry = entries.show(form.call, with_value=may_manage(request))
        except Exception as exc:  # the job's own methods, or a cache whose errors are not ignored
            form.add_error("args", printable(f"{type(exc).__name__}: {exc}"))
    return {
        "form": form,
        "entry": entry,
        "parameters": printable(calls.parameters_of(known)),
        "options": entries.options(known),
        "act_url": reverse("cacheback:act", args=[known.name]),
        "call_fields": [(name, form[name].value() or "") for name in form.fields],
    }


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """Render a page, or the part of it that htmx asks for."""
    fragment = is_fragment(request)
    context |= {
        "may_manage": may_manage(request),
        "is_fragment": fragment,
        "poll_seconds": POLL_SECONDS,
        "site_url": get_script_prefix(),
    }
    response = render(request, f"{TEMPLATES}/{'_' if fragment else ''}{name}.html", context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def _tell(request: HttpRequest, level: int, text: str) -> None:
    # A site without the messages framework sees what was done in the entry itself.
    messages.add_message(request, level, text, fail_silently=True)
