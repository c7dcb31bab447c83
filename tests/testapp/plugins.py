"""What the test app tells the project cache."""

from collections.abc import Callable
from typing import Any

from sodarcache.plugins import ProjectAppPlugin, get_backend_api


def count_towers(project: Any) -> Any:
    """Return what the plugin caches of a project; tests put another function here."""
    return {"title": project.title}


class Towers(ProjectAppPlugin):
    """Caches one item per project, as the guide says a plugin should."""

    name = "testapp"
    title = "Towers"
    count: Callable[[Any], Any] = staticmethod(count_towers)
    calls: list[tuple[Any, ...]] = []

    def update_cache(self, name: str | None = None, project: Any = None, user: Any = None) -> None:
        self.calls.append((name, project, user))
        if name in (None, "towers") and project is not None:
            api = get_backend_api("sodar_cache")
            data = type(self).count(project)
            api.set_cache_item("testapp", "towers", data, project=project, user=user)
