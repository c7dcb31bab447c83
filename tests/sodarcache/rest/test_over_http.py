"""The API as a real server serves it to a real client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.addresses import Site
from tests.services import Processes, free_port
from tests.sodarcache.support import APP

SETTINGS = "--settings=tests.sodarcache.rest.site_settings"
MAKE = """
from django.contrib.auth import get_user_model
from sodarcache.models import Project
get_user_model().objects.create_user("writer", password="secret")
print(f"project={Project.objects.create(title='Towers').sodar_uuid}")
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, and the UUID of its project."""
    processes = Processes(tmp_path)
    site = Site(cache="", backend="locmem", database=f"sqlite://{tmp_path}/site.sqlite3")
    try:
        processes.manage(site, "migrate", SETTINGS, "--verbosity=0")
        made = processes.manage(site, "shell", SETTINGS, "--command", MAKE)
        port = free_port()
        command = ("runserver", SETTINGS, "--noreload", str(port))
        server = processes.manage_in_background(site, *command)
        base = f"http://127.0.0.1:{port}/cache/api"
        server.wait_until(lambda: _answers(base), 30, what="an answer")
        yield base, made.rpartition("project=")[2].strip()
    finally:
        processes.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 404
    except httpx.TransportError:
        return False


def test_a_conversation(server: tuple[str, str]) -> None:
    """REST: set, read, read again, lose a race, delete; with the headers as they are sent."""
    base, project = server
    path = f"{project}/{APP}/towers/height"
    with httpx.Client(base_url=base, auth=("writer", "secret")) as client:
        made = client.post(f"/set/{path}", json={"data": 1}, headers={"if-none-match": "*"})
        assert (made.status_code, made.json()) == (200, {"detail": "ok"})
        read = client.get(f"/retrieve/{path}")
        assert (read.json()["data"], read.headers["etag"]) == (1, made.headers["etag"])

        known = {"if-none-match": read.headers["etag"]}
        again = client.get(f"/retrieve/{path}", headers=known)
        assert (again.status_code, again.content) == (304, b"")
        since = {"if-modified-since": read.headers["last-modified"]}
        assert client.get(f"/retrieve/date/{path}", headers=since).status_code == 304

        mine = {"if-match": read.headers["etag"]}
        assert client.post(f"/set/{path}", json={"data": 2}, headers=mine).status_code == 200
        late = client.post(f"/set/{path}", json={"data": 3}, headers=mine)
        assert (late.status_code, late.json()["detail"][:7]) == (412, "The ite")
        assert client.request("DELETE", f"/delete/{path}", headers=mine).status_code == 412
        assert client.get(f"/retrieve/{path}", headers=known).json()["data"] == 2
        assert client.delete(f"/delete/{path}").status_code == 204
        assert client.get(f"/retrieve/{path}", headers=known).status_code == 404


def test_hostile_bodies_over_the_wire(server: tuple[str, str]) -> None:
    """P5: 400 from a real server, which goes on serving."""
    base, project = server
    url = f"{base}/set/{project}/{APP}/x"
    bodies: list[Any] = [b"", b"{", b'{"data": NaN}', b'{"data":' + b"[" * 200_000]
    with httpx.Client(auth=("writer", "secret")) as client:
        for body in bodies:
            answer = client.post(url, content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, list(answer.json())) == (400, ["detail"])
        assert client.get(f"{base}/list/{project}").json()["count"] == 0
    assert httpx.get(f"{base}/list/{project}").status_code == 401
