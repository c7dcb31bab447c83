"""The project cache over the real distributions of this environment, in the example site."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.example.test_settings import environment_of, manage
from tests.services import ROOT

LOOK = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from example_project.shelf.models import Distribution
from sodarcache.plugins import get_backend_api

cache = get_backend_api("sodar_cache")
django_itself = Distribution.objects.get(key="django")
totals = cache.get_cache_item("inventory", "totals", django_itself)
largest = cache.get_cache_item("inventory", "largest", django_itself)
assert totals.data["files"] > 1000 and len(largest.data) == 10, totals.data
assert cache.get_model().objects.count() == 2 * Distribution.objects.count()
client = Client(HTTP_HOST="localhost")
page = client.get("/inventory/django/")
assert page.status_code == 200, page.status_code
assert largest.data[0]["path"] in page.text
assert b"/inventory/django/" in client.get("/d/django/").content
assert client.get("/inventory/no-such-thing/").status_code == 404
overview = client.get("/inventory/").text
assert overview.count('<p class="title">') == Distribution.objects.count()
assert '<a href="/inventory/" aria-current="page">' in overview
address = f"/cache/api/retrieve/{django_itself.uuid}/inventory/totals"
assert address in page.text
assert client.get(address).status_code == 403
staff = get_user_model().objects.get(username="staff")
client.force_login(staff)
assert client.get(address).json()["data"] == totals.data
cache.delete_cache(app_name="inventory", project=django_itself)
counting = client.post("/inventory/", follow=True)
assert f"{Distribution.objects.count()} queued" in counting.text, counting.text
print(django_itself.uuid)
"""


@pytest.mark.timeout(300)
def test_every_distribution_is_a_project(tmp_path: Path) -> None:
    """Any model with a UUID can be the project. ``synccache`` counts every distribution, pages and
    the REST API show the items, the task queue counts again, and ``deletecache`` deletes those of
    one."""
    for command in (
        ["migrate", "-v0"],
        ["makemigrations", "--check"],
        ["fill_shelf"],
        ["add_demo_staff"],
    ):
        done = manage(tmp_path, *command)
        assert done.returncode == 0, done.stderr
    done = manage(tmp_path, "synccache", "--workers", "2")
    assert done.returncode == 0 and "Updating projects" in done.stderr, done.stderr
    look = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=ROOT,
        env=environment_of(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert look.returncode == 0, look.stderr
    done = manage(tmp_path, "deletecache", "-p", look.stdout.strip(), "--yes")
    assert "Deleted 2 cached items" in done.stdout, done.stderr
