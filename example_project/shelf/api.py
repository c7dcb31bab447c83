"""A small JSON API over the shelf, with the manners of a public one: pages, ETags, a rate limit."""

import time
from collections.abc import Callable
from functools import wraps

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import conditional_page, require_safe

from example_project.shelf.models import Distribution

PAGE_SIZE = 50
LIMIT, WINDOW = 30, 60
"""Requests of one address, and the seconds in which it may make them."""

_View = Callable[[HttpRequest], HttpResponse]


def rate_limited(view: _View) -> _View:
    """Answer 429 with ``Retry-After`` to an address that asks too often."""

    @wraps(view)
    def limited(request: HttpRequest) -> HttpResponse:
        window, since = divmod(time.time(), WINDOW)
        key = f"shelf:api:{request.META['REMOTE_ADDR']}:{window:.0f}"
        cache.add(key, 0, WINDOW)
        try:
            count = cache.incr(key)
        except ValueError:  # the cache keeps nothing, or dropped it just now
            count = 1
        if count > LIMIT:
            detail = f"No more than {LIMIT} requests in {WINDOW} seconds."
            response = JsonResponse({"detail": detail}, status=429)
            response.headers["Retry-After"] = str(int(WINDOW - since) + 1)
            return response
        return view(request)

    return limited


@rate_limited
@require_safe
@conditional_page
def distributions(request: HttpRequest) -> HttpResponse:
    """List the distributions, a page at a time; a page after the last one is empty."""
    asked = request.GET.get("page", "1")
    # Digits alone, and no number that the database can't count to.
    if not (asked.isascii() and asked.isdigit() and 0 < len(asked) <= 6 and int(asked)):
        return JsonResponse({"detail": "page is a number from 1 to 999999."}, status=400)
    first = (int(asked) - 1) * PAGE_SIZE
    rows = Distribution.objects.prefetch_related("requirements")
    page = list(rows[first : first + PAGE_SIZE + 1])
    response = JsonResponse([_record(row) for row in page[:PAGE_SIZE]], safe=False)
    if len(page) > PAGE_SIZE:
        further = request.build_absolute_uri(f"?page={int(asked) + 1}")
        response.headers["Link"] = f'<{further}>; rel="next"'
    return response


def _record(row: Distribution) -> dict[str, object]:
    asked = [each for each in row.requirements.all() if not each.optional]
    return {
        "id": row.pk,
        "key": row.key,
        "name": row.name,
        "version": row.version,
        "summary": row.summary,
        "licence": row.licence,
        "editable": row.editable,
        "requirements": sorted({each.target for each in asked}),
    }
