"""Who may do what. Nobody, unless an authentication backend says yes."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.test import APIClient

from sodarcache.models import Project
from sodarcache.rest.base import SodarcacheAPIView
from tests.services import ROOT
from tests.sodarcache.rest import backends

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

READS = ("read", "date", "list")
WRITES = ("store", "store_if", "bulk", "remove")


def requests(client: Any, project: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give each request that the API knows."""
    project_uuid = getattr(project, "sodar_uuid", project)
    bulk = {"items": [{"app_name": "testapp", "name": "n", "data": 1}]}
    yield "read", lambda: client.read(project)
    yield "date", lambda: client.get(client.address("retrieve/date", project))
    yield "list", lambda: client.get(f"/cache/api/list/{project_uuid}")
    yield "store", lambda: client.store(project, 1)
    yield "store_if", lambda: client.store(project, 1, **{"if-match": "*"})
    yield "bulk", lambda: client.post(f"/cache/api/set/{project_uuid}", bulk, format="json")
    yield "remove", lambda: client.remove(project)


def answers(client: Any, project: Any) -> dict[str, int]:
    """Return the status of each request."""
    return {name: request().status_code for name, request in requests(client, project)}


@pytest.mark.parametrize(
    ("username", "read", "write"),
    [
        ("superuser", "yes", "yes"),
        ("writer", "yes", "yes"),
        ("reader", "yes", "no"),
        ("somebody", "no", "no"),
        ("nobody", "no", "no"),
    ],
)
def test_permissions_are_asked_of_the_project(
    client_of: Callable[[str], Any], project: Any, username: str, read: str, write: str
) -> None:
    """REST: get_cache_value for reads, set_cache_value for writes."""
    expected = dict.fromkeys(READS, read) | dict.fromkeys(WRITES, write)
    client_of("superuser").store(project, 1)
    for name, request in requests(client_of(username), project):
        code = request().status_code
        assert code in ((200, 204) if expected[name] == "yes" else (403,))


def test_a_role_in_one_project_is_none_in_another(
    client_of: Callable[[str], Any], project: Any, other: Any
) -> None:
    """REST, P2: the permission is asked for with the project."""
    assert set(answers(client_of("writer"), other).values()) == {403}


def test_django_alone_lets_superusers_in_only(
    client_of: Callable[[str], Any], project: Any, site: Any
) -> None:
    """REST: deny by default."""
    site.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    client_of("superuser").store(project, 1)
    assert set(answers(client_of("writer"), project).values()) == {403}
    assert client_of("superuser").read(project).status_code == 200


def test_a_permissive_site_does_not_open_the_api(
    client_of: Callable[[str], Any], project: Any, site: Any
) -> None:
    """REST: the site's default of DRF, which is AllowAny, is not the API's."""
    site.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"]}
    assert set(answers(client_of("somebody"), project).values()) == {403}


def test_an_unknown_project_is_404(client_of: Callable[[str], Any], database: str) -> None:
    """P5: for whoever has logged in; what is no UUID is no URL."""
    for username in ("superuser", "somebody"):
        assert set(answers(client_of(username), uuid4()).values()) == {404}
    assert set(answers(client_of("superuser"), "1-2").values()) == {404}


def test_an_anonymous_client_learns_nothing(client_of: Callable[[str], Any], project: Any) -> None:
    """REST: the same answer for a project that exists and for one that doesn't."""
    anonymous = client_of("nobody")
    assert answers(anonymous, project) == answers(anonymous, uuid4())
    assert anonymous.read(project).content == anonymous.read(uuid4()).content


def test_the_backend_of_the_page(
    client_of: Callable[[str], Any],
    project: Any,
    other: Any,
    site: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """REST: the backend in docs/sodarcache-rest.md lets people read their projects; it is no error
    that it is asked about who has not logged in, too."""
    page = (ROOT / "docs" / "sodarcache-rest.md").read_text()
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    monkeypatch.setattr(backends, "RoleBackend", names["ProjectBackend"])
    mine = property(lambda user: Project.objects.filter(title="Towers"))
    monkeypatch.setattr(get_user_model(), "projects", mine, raising=False)
    somebody = answers(client_of("somebody"), project)
    assert {somebody[name] for name in READS} <= {200, 404}
    assert {somebody[name] for name in WRITES} == {403}
    assert set(answers(client_of("somebody"), other).values()) == {403}
    assert set(answers(client_of("nobody"), project).values()) == {403}


def test_who_may_not_look_learns_nothing_of_items(
    client_of: Callable[[str], Any], project: Any
) -> None:
    """REST: 403 comes before items, apps and bodies are looked at."""
    somebody, superuser = client_of("somebody"), client_of("superuser")
    superuser.store(project, 1)
    there, absent = somebody.read(project), somebody.read(project, "absent")
    no_app = somebody.get(somebody.address("retrieve", project, app="no_such_app"))
    assert {r.status_code for r in (there, absent, no_app)} == {403}
    assert there.content == absent.content == no_app.content
    broken = somebody.post(somebody.address("set", project), "{", content_type="application/json")
    assert broken.status_code == 403


@pytest.mark.parametrize("kind", ["store", "store_if_none"])
def test_a_project_that_is_deleted_meanwhile(
    writer: Any, project: Any, items: Any, database: str, kind: str
) -> None:
    """REST: just before the INSERT: 404 (412 with a condition), never 500, and nothing is left."""

    def delete_first(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("INSERT INTO") and "sodarcache_jsoncacheitem" in sql:
            with connections[database].cursor() as cursor:
                cursor.execute("DELETE FROM sodarcache_project")
        return execute(sql, *args)

    condition = {"if-none-match": "*"} if kind == "store_if_none" else {}
    with connections[database].execute_wrapper(delete_first):
        response = writer.store(project, 1, **condition)
    assert response.status_code == (412 if condition else 404)
    assert not items.exists()


@pytest.mark.parametrize("condition", ["", "if-match", "if-none-match"])
def test_a_user_who_is_deleted_meanwhile(
    writer: Any, project: Any, items: Any, database: str, condition: str
) -> None:
    """REST, P1: just before the item is written: it is set, by nobody, as if the user had been
    deleted a moment later. It is neither a project that is missing nor a condition that failed."""
    if condition == "if-match":
        writer.store(project, 0)

    users = list(get_user_model().objects.all())

    def delete_first(execute: Any, sql: str, *args: Any) -> Any:
        if users and sql.startswith(("INSERT INTO", "UPDATE")) and "jsoncacheitem" in sql:
            users.pop().delete()
        return execute(sql, *args)

    with connections[database].execute_wrapper(delete_first):
        response = writer.store(project, 1, **({condition: "*"} if condition else {}))
    assert response.status_code == 200
    assert (items.get().data, items.get().user) == (1, None)


def test_a_project_that_is_deleted_after_the_permission_check(
    writer: Any, project: Any, items: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REST, P2: 404; what belongs to no project is neither read nor set in its place."""
    api.set_cache_item("testapp", "towers/height", "of no project")

    def has_perm(self: Any, user: Any, perm: str, obj: Any = None) -> bool:
        Project.objects.all().delete()
        return True

    monkeypatch.setattr(backends.RoleBackend, "has_perm", has_perm)
    for _, request in requests(writer, project):
        Project.objects.get_or_create(title="Towers", sodar_uuid=project.sodar_uuid)
        assert request().status_code == 404
    assert [item.data for item in items.all()] == ["of no project"]


@pytest.mark.parametrize(
    ("first", "refusal"), [(SessionAuthentication, 403), (BasicAuthentication, 401)]
)
def test_real_credentials(
    project: Any, monkeypatch: pytest.MonkeyPatch, first: Any, refusal: int
) -> None:
    """REST: DRF's own ways to log in do. Who may log in is told 401 where the first of them has a
    challenge, and 403 where it is the session, as in DRF's defaults."""
    ways = [first, BasicAuthentication]
    monkeypatch.setattr(SodarcacheAPIView, "authentication_classes", ways)
    get_user_model().objects.create_user("reader", password="secret")
    url = f"/cache/api/list/{project.sodar_uuid}"
    for password, status in (("secret", 200), ("wrong", refusal)):
        token = base64.b64encode(f"reader:{password}".encode()).decode()
        response = APIClient().get(url, headers={"authorization": f"Basic {token}"})
        assert response.status_code == status
    assert APIClient().get(url).status_code == refusal
