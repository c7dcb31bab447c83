"""Parts of pages that are cached as HTML."""

from typing import Any

from django.db.models import Count

from cacheback_app.fragments import cacheback_fragment
from example_project.shelf.jobs import SHELF
from example_project.shelf.models import Requirement


@cacheback_fragment("shelf/_most_wanted.html", lifetime=30, tags=[SHELF])
def most_wanted(limit: int = 8) -> dict[str, Any]:
    """Return what most others on the shelf ask for."""
    asked = Requirement.objects.values("target")
    counted = asked.annotate(by=Count("distribution", distinct=True))
    return {"wanted": counted.order_by("-by", "target")[:limit]}
