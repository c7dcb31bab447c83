"""How `manage.py synccache` counts a distribution's files."""

from dataclasses import asdict
from typing import Any

from example_project.shelf import installed, report
from example_project.shelf.models import Distribution
from sodarcache.new_item import NewItem
from sodarcache.plugins import ProjectAppPlugin, get_backend_api

APP = "inventory"
TOTALS, LARGEST = "totals", "largest"


class Inventory(ProjectAppPlugin):
    """Keeps two items of each distribution: its totals, and its ten largest files."""

    name = APP
    title = "Inventory"

    def update_cache(self, name: str | None = None, project: Any = None, user: Any = None) -> None:
        cache = get_backend_api("sodar_cache")
        if cache is None or name not in (None, TOTALS, LARGEST):
            return
        projects = Distribution.objects.all() if project is None else [project]
        for each in projects:
            items = counted(each)
            wanted = {name: items[name]} if name else items
            cache.set_cache_items(
                NewItem(APP, item, data, project=each, user=user) for item, data in wanted.items()
            )


def counted(distribution: Distribution) -> dict[str, Any]:
    """Return the items' values. PackageNotFoundError says that it is no longer installed."""
    made = report.read(installed.find(distribution.key), largest=10)
    totals = {"files": made.files, "bytes": made.size, "python_lines": made.python_lines}
    return {
        TOTALS: {**totals, "version": distribution.version, "sha256": made.sha256},
        LARGEST: [asdict(file) for file in made.largest],
    }
