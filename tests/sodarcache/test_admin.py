"""The items in Django's admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sodarcache.models import JSONCacheItem, Project
from tests.jobs.support import BrokenQueue, path_of
from tests.sodarcache.support import APP
from tests.testapp.plugins import Towers

pytestmark = pytest.mark.django_db

LIST = "/admin/sodarcache/jsoncacheitem/"
SCRIPT = "<script>document.title='owned'</script>"


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    """A site with an admin."""
    settings.ROOT_URLCONF = "tests.panel.urls"
    Towers.calls = []


def client_with(*permissions: str) -> Client:
    """Return a client of somebody on the staff with these permissions on items."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin() -> Client:
    """A client of somebody who may view, delete and sync."""
    return client_with("view_jsoncacheitem", "delete_jsoncacheitem", "change_jsoncacheitem")


def item(name: str = "towers", project: Any = None, app: str = APP, data: Any = 0) -> Any:
    """Return a new item."""
    return JSONCacheItem.objects.create(project=project, app_name=app, name=name, data=data)


def run_sync(client: Client, *items: Any) -> str:
    """Choose "Sync now" for some items; return the page that follows."""
    chosen = {"action": "sync_now", "_selected_action": [one.pk for one in items]}
    return str(client.post(LIST, chosen, follow=True).content.decode())


def test_items_are_called_what_they_are(admin: Client) -> None:
    """JSON is spelt as people spell it, on the index and on the page of the items."""
    item()
    for page in ("/admin/", LIST):
        text = admin.get(page).content.decode()
        assert "JSON cache item" in text and "Json" not in text


def test_the_list_is_searched_and_filtered(admin: Client) -> None:
    """Items are found by name and app, and filtered by app and project."""
    one, two = Project.objects.create(title="One"), Project.objects.create(title="Two")
    item("roof", one, data={"x": 1})
    item("cellar", two)
    item("door", None, "otherapp")
    for query, there in (
        ("q=roof", {"roof"}),
        ("q=otherapp", {"door"}),
        ("app_name=otherapp", {"door"}),
        (f"project__id__exact={two.pk}", {"cellar"}),
        ("", {"roof", "cellar", "door"}),
    ):
        html = admin.get(f"{LIST}?{query}").content.decode()
        shown = {name for name in ("roof", "cellar", "door") if f">{name}</a>" in html}
        assert shown == there, query


def test_the_list_never_loads_data(admin: Client) -> None:
    """The values, which may be large, are not asked for; nor is a query made for each item."""
    for number in range(30):
        item(f"item{number}", Project.objects.create(title=f"P{number}"), data={"n": number})
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(LIST).status_code == 200
    assert not any('"sodarcache_jsoncacheitem"."data"' in query["sql"] for query in queries)
    assert len(queries) < 20


def test_data_is_shown_as_text(admin: Client) -> None:
    """JSON is indented, and markup in it is not obeyed."""
    shown = item(data={"b": [1, SCRIPT], "a": None})
    html = admin.get(f"{LIST}{shown.pk}/change/").content.decode()
    assert SCRIPT not in html
    assert "{\n  &quot;a&quot;: null,\n  &quot;b&quot;: [\n    1,\n    &quot;&lt;script&gt;" in html


def test_large_data_is_cut_short(admin: Client) -> None:
    """The page of a large item stays a page."""
    shown = item(data=["x" * 1000] * 1000)
    html = admin.get(f"{LIST}{shown.pk}/change/").content.decode()
    assert len(html) < 200_000
    assert "characters" in html


def test_items_are_deleted_and_never_edited(admin: Client) -> None:
    """Nothing can be added or changed by hand; what may be deleted can be."""
    kept, dropped = item("kept", data=1), item("dropped")
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{kept.pk}/change/", {"name": "else"}).status_code == 403
    admin.post(f"{LIST}{dropped.pk}/delete/", {"post": "yes"})
    assert list(JSONCacheItem.objects.values_list("name", "data")) == [("kept", 1)]


def test_sync_now_calls_the_plugin_for_that_item(admin: Client) -> None:
    """The plugin of the item's app is called by the task queue, for its project and name only."""
    one, two = Project.objects.create(title="One"), Project.objects.create(title="Two")
    first = item("towers", one, data="old")
    item("towers", two, data="old")
    assert "1 queued" in run_sync(admin, first)
    assert [call[:2] for call in Towers.calls] == [("towers", one)]
    assert set(JSONCacheItem.objects.values_list("project__title", "data__title")) == {
        ("One", "One"), ("Two", None),
    }  # fmt: skip


def test_items_whose_app_has_no_plugin_are_said_so(admin: Client) -> None:
    """There is nobody to set such an item anew."""
    assert "No app has a plugin" in run_sync(admin, item(app="gone"))


def test_a_queue_that_is_down_is_told_of(admin: Client, settings: Any) -> None:
    """The page says so; nothing raises."""
    settings.CACHEBACK_TASK_QUEUE = path_of(BrokenQueue)
    assert "took nothing more" in run_sync(admin, item("towers", Project.objects.create(title="P")))


def test_sync_takes_the_permission_to_change_items() -> None:
    """Who may only view has no such action, and one that is sent is not run."""
    client = client_with("view_jsoncacheitem")
    project = Project.objects.create(title="P")
    html = run_sync(client, item("towers", project))
    assert "Sync now" not in html
    assert Towers.calls == []
