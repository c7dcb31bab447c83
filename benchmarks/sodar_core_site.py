"""A SODAR Core site that is told what to time: a line of JSON on stdin, one on stdout.

It is run by the Python of that environment, as ``sodar_core`` does, and imports nothing that is
not there.
"""

import json
import os
import sys
import traceback
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
APP = "example_project_app"

_numbers = count()


def serve() -> None:
    """Answer until stdin ends."""
    # What others print must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    set_up(json.loads(sys.argv[1]))
    for line in sys.stdin:
        function, *args = json.loads(line)
        try:
            answer = globals()[function](*args), None
        except Exception:
            answer = None, traceback.format_exc()
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()


def set_up(database: dict[str, Any]) -> None:
    """Make the site in an empty database, with the original ``sodarcache`` and one project."""
    global api, project
    sys.path[:0] = [str(ROOT / "tests" / "sodar_site"), str(ROOT)]
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_config.settings"
    import chosen

    chosen.choose(original=True)
    import django
    from site_config import settings

    settings.DATABASES = {"default": database}
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from projectroles.models import Project
    from projectroles.plugins import PluginAPI

    category = Project.objects.create(title="All", type="CATEGORY")
    project = Project.objects.create(title="One", type="PROJECT", parent=category)
    api = PluginAPI.get_backend_api("sodar_cache")


def set_one(number: int, name: str, data: Any) -> float:
    """Return the seconds that it takes to set an item, ``number`` times."""
    began = perf_counter()
    for _ in range(number):
        api.set_cache_item(app_name=APP, name=name, data=data, project=project)
    return perf_counter() - began


def set_each(number: int, data: Any) -> float:
    """Return the seconds that it takes to set so many new items."""
    names = [f"m{next(_numbers)}" for _ in range(number)]
    began = perf_counter()
    for name in names:
        api.set_cache_item(app_name=APP, name=name, data=data, project=project)
    return perf_counter() - began


def update_time(number: int, name: str) -> float:
    """Return the seconds that it takes to ask when an item was set, ``number`` times."""
    began = perf_counter()
    for _ in range(number):
        api.get_update_time(app_name=APP, name=name, project=project)
    return perf_counter() - began


def delete(number: int, data: Any) -> tuple[float, float]:
    """Return the seconds that it takes to delete so many items, and the MB."""
    from benchmarks.memory import allocated

    _fill(number, data)
    began = perf_counter()
    api.delete_cache()
    seconds = perf_counter() - began
    _fill(number, data)
    return seconds, allocated(api.delete_cache)


def queries(name: str, data: Any) -> int:
    """Return the number of queries of a set."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        api.set_cache_item(app_name=APP, name=name, data=data, project=project)
    return len(captured)


def _fill(number: int, data: Any) -> None:
    model = api.get_model()
    model.objects.all()._raw_delete("default")
    model.objects.bulk_create(
        (
            model(app_name=APP, name=f"n{n}", data=data, project_id=project.pk)
            for n in range(number)
        ),
        batch_size=1000,
    )


if __name__ == "__main__":
    serve()
