"""What the project cache has of all distributions, and of one."""

from collections import Counter

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from cacheback_app.exceptions import QueueError
from example_project.inventory.plugins import APP, LARGEST, TOTALS
from example_project.shelf.installed import normalise
from example_project.shelf.models import Distribution
from sodarcache.models import JSONCacheItem
from sodarcache.plugins import get_backend_api
from sodarcache.syncing import Sync


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """List what was counted, with two queries; a POST has all counted again."""
    if request.method == "POST":
        return _count(request)
    totals = JSONCacheItem.objects.filter(app_name=APP, name=TOTALS, project__isnull=False)
    context = {
        # The type checker does not know this site's model for projects.
        "items": totals.select_related("project").order_by("project__key"),  # type: ignore[misc]
        "distributions": Distribution.objects.count(),
    }
    return render(request, "inventory/index.html", context)


def _count(request: HttpRequest) -> HttpResponse:
    # One task a distribution, as with `manage.py synccache --async`.
    try:
        queued = Counter(step.queue() for step in Sync(app=APP).steps())
    except QueueError as exc:
        messages.error(request, f"The task queue took nothing more: {type(exc).__name__}.")
    else:
        for outcome, number in queued.items():
            messages.success(request, f"{number} {outcome.value}.")
    return redirect("inventory:index")


@never_cache
@require_safe
def items(request: HttpRequest, name: str) -> HttpResponse:
    """Show the items: one query, whatever they hold, and no file is opened."""
    distribution = get_object_or_404(Distribution, key=normalise(name))
    cache = get_backend_api("sodar_cache")
    found = cache.get_cache_items(APP, [TOTALS, LARGEST], distribution) if cache else {}
    context = {
        "distribution": distribution,
        "totals": found.get(TOTALS),
        "largest": found.get(LARGEST),
    }
    return render(request, "inventory/items.html", context)
