"""The API, on every database: the seed's examples, and what the original gets wrong."""

import datetime
import math
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.db.models.signals import post_delete, post_init, pre_delete
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext

from sodarcache import statements as statements_module
from sodarcache.host import get_host
from sodarcache.models import JSONCacheItem, Project
from sodarcache.new_item import NewItem
from sodarcache.plugins import BackendPlugin, get_backend_api
from tests.sodarcache.support import APP


@pytest.fixture
def queries(database: str) -> Any:
    return lambda: CaptureQueriesContext(connections[database])


def statements(captured: Any) -> list[str]:
    """Return what was asked of the database, without the bounds of transactions."""
    bounds = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return [q["sql"] for q in captured if not q["sql"].startswith(bounds)]


def test_the_seeds_examples(database: str, project: Any, user: Any) -> None:
    """Every call of the seed document works as printed there."""
    cache_backend = get_backend_api("sodar_cache")
    cache_item = cache_backend.set_cache_item(
        project=project,
        app_name=APP,
        user=user,
        name="some_item",
        data_type="json",
        data={"key": "val"},
    )
    found = cache_backend.get_cache_item(
        app_name=APP, name="some_item", project=project, data_type="json"
    )
    assert found == cache_item and found.data == {"key": "val"} and found.user == user
    updated = cache_backend.get_update_time(app_name=APP, name="some_item", project=project)
    assert updated == cache_item.date_modified.timestamp()
    items = cache_backend.get_project_cache(project=project, data_type="json")
    assert list(items) == [cache_item]
    assert cache_backend.get_model() is JSONCacheItem


def test_the_backend_may_be_disabled(settings: Any) -> None:
    """``get_backend_api`` gives None for a backend that is not enabled, or that there is not."""
    assert get_backend_api("sodar_cache") is not None
    assert get_backend_api("timeline_backend") is None
    settings.SODARCACHE_ENABLED_BACKEND_PLUGINS = []
    assert get_backend_api("sodar_cache") is None
    assert BackendPlugin.name == "sodar_cache"


def test_fields_and_texts(api: Any, project: Any, user: Any) -> None:
    """The fields that forms see, ``str`` and ``repr`` are those of SODAR Core."""
    item = api.set_cache_item(APP, "a", {"x": 1}, project=project, user=user)
    assert model_to_dict(item) == {
        "id": item.pk,
        "project": project.pk,
        "app_name": APP,
        "name": "a",
        "user": user.pk,
        "sodar_uuid": item.sodar_uuid,
        "data": {"x": 1},
    }
    assert str(item) == "Towers: testapp: a"
    assert repr(item) == "JSONCacheItem('Towers', 'testapp', 'a')"
    assert str(api.set_cache_item(APP, "b", 1)) == "N/A: testapp: b"


def test_a_set_returns_the_item_that_is_there(
    api: Any, project: Any, user: Any, queries: Any
) -> None:
    """P3: a set is one query, and returns the whole item: its key, UUID and the user it keeps."""
    first = api.set_cache_item(APP, "a", 1, project=project, user=user)
    with queries() as captured:
        again = api.set_cache_item(APP, "a", 2, project=project)
    assert len(captured) == 1
    assert (again.pk, again.sodar_uuid, again.user_id) == (first.pk, first.sodar_uuid, user.pk)
    assert again.date_modified > first.date_modified
    read = api.get_cache_item(APP, "a", project)
    assert (read.data, read.date_modified, read.user) == (2, again.date_modified, user)
    again.data = 3
    again.save()  # it is no stranger to the ORM
    assert api.get_cache_item(APP, "a", project).data == 3


def test_the_date_moves_with_every_set(api: Any, project: Any) -> None:
    """P3: ``date_modified`` is the time of the last set, by the API or by ``save``."""
    item = api.set_cache_item(APP, "a", 1, project=project)
    before = datetime.datetime.now(datetime.UTC)
    api.set_cache_item(APP, "a", 1, project=project)
    assert api.get_update_time(APP, "a", project) >= before.timestamp()
    now = datetime.datetime.now(datetime.UTC)
    item.save()
    assert api.get_update_time(APP, "a", project) >= now.timestamp()


def test_no_project_is_a_place_of_its_own(api: Any, project: Any, other: Any) -> None:
    """P2: nothing reaches over from one project to another, or to what belongs to none."""
    api.set_cache_item(APP, "a", "project", project=project)
    assert api.get_cache_item(APP, "a") is None
    assert api.get_update_time(APP, "a", None) is None
    api.delete_cache_item(APP, "a")
    api.set_cache_item(APP, "a", "none")
    api.set_cache_item(APP, "a", "other", project=other)
    found = [api.get_cache_item(APP, "a", of).data for of in (project, other, None)]
    assert found == ["project", "other", "none"]
    api.delete_cache_item(APP, "a", project=None)
    assert api.get_cache_item(APP, "a", None) is None
    assert api.get_cache_item(APP, "a", project).data == "project"
    assert api.get_project_cache(None).count() == 0
    api.delete_cache_item(APP, "a", project)
    api.delete_cache_item(APP, "a", project)  # which is deleted already
    assert api.get_cache_item(APP, "a", other).data == "other"


def test_an_unsaved_project_is_not_no_project(api: Any, items: Any, project: Any) -> None:
    """P2: what can't be a project is an error, never an item of no project."""
    with pytest.raises(ValueError, match="not saved"):
        api.set_cache_item(APP, "a", 1, project=Project(title="new"))
    for wrong in (project.pk, str(project.sodar_uuid), object()):
        with pytest.raises(TypeError, match="must be a Project"):
            api.set_cache_item(APP, "a", 1, project=wrong)
        with pytest.raises(TypeError, match="must be a Project"):
            api.delete_cache(project=wrong)
    assert not items.exists()


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a "), ("é", "e\u0301"), ("ß", "ss")])
def test_names_are_equal_only_when_they_are_the_same(api: Any, names: tuple[str, str]) -> None:
    """P2: no database takes one name for another."""
    for name in names:
        api.set_cache_item(APP, name, name)
    assert [api.get_cache_item(APP, name).data for name in names] == list(names)
    assert {k: v.data for k, v in api.get_cache_items(APP, names).items()} == {
        name: name for name in names
    }


def test_deleting_a_user_keeps_what_they_cached(api: Any, project: Any, user: Any) -> None:
    """An item outlives its user, and goes with its project."""
    api.set_cache_item(APP, "a", 1, project=project, user=user)
    user.delete()
    assert api.get_cache_item(APP, "a", project).user is None
    project.delete()
    assert api.get_model().objects.count() == 0


def test_an_anonymous_user_is_none(api: Any, project: Any) -> None:
    """``request.user`` may be passed as it is."""
    assert api.set_cache_item(APP, "a", 1, user=AnonymousUser()).user is None


def test_reads_and_deletes_are_one_query_without_data(api: Any, project: Any, queries: Any) -> None:
    """P3: ``get_update_time`` and ``delete_cache`` never load ``data``, and each is one query."""
    api.set_cache_items(
        [{"app_name": APP, "name": f"n{n}", "data": n, "project": project} for n in range(5)]
    )
    with queries() as captured:
        item = api.get_cache_item(APP, "n1", project)
        str(item)
    assert len(captured) == 1
    with queries() as captured:
        api.get_update_time(APP, "n1", project)
    assert len(captured) == 1 and "data" not in captured[0]["sql"].split("FROM")[0]
    heard: list[Any] = []

    def hear(sender: Any, **kwargs: Any) -> None:
        heard.append(sender)

    pre_delete.connect(hear)  # as an audit log does
    post_delete.connect(hear)
    try:
        with queries() as captured:
            assert api.delete_cache() == 5
        assert len(statements(captured)) == 1
        with queries() as captured:
            api.delete_cache_item(APP, "n1", project)
        assert len(statements(captured)) == 1
    finally:
        pre_delete.disconnect(hear)
        post_delete.disconnect(hear)


def test_delete_cache_counts_what_it_deletes(api: Any, project: Any, other: Any) -> None:
    """``delete_cache`` is limited by app, by project, or by both."""
    for of in (project, other, None):
        api.set_cache_item(APP, "a", 1, project=of)
        api.set_cache_item("shelf", "a", 1, project=of)
    assert api.delete_cache(app_name=APP, project=project) == 1
    assert api.delete_cache(project=project) == 1
    assert api.delete_cache(app_name="shelf") == 2
    assert api.delete_cache(project=project) == 0
    assert api.delete_cache() == 2


def test_unknown_names(api: Any, items: Any) -> None:
    """P5: unknown apps and data types are named, with the valid ones; the app comes first."""
    app = r'^Unknown app name "x" \(installed apps: .*testapp.*\)$'
    kind = r'^Unknown data type "xml" for a cache item \(allowed types: json\)$'
    with pytest.raises(ValueError, match=app):
        api.set_cache_item("x", "a", 1, data_type="xml")
    with pytest.raises(ValueError, match=kind):
        api.set_cache_item(APP, "a", 1, data_type="xml")
    for call in (
        lambda: api.get_cache_item("x", "a"),
        lambda: api.get_update_time("x", "a"),
        lambda: api.delete_cache_item("x", "a"),
        lambda: api.delete_cache("x"),
        lambda: api.get_cache_items("x", ["a"]),
    ):
        with pytest.raises(ValueError, match=app):
            call()
    for call in (
        lambda: api.get_cache_item(APP, "a", data_type="xml"),
        lambda: api.get_project_cache(None, "xml"),
    ):
        with pytest.raises(ValueError, match=kind):
            call()
    assert not items.exists()


BAD = [
    ({"rows": [0, 1, 2, {"name": {1}}]}, r"^data\.rows\[3\]\.name is a set\b"),
    ([math.nan], r"^data\[0\] is nan\b"),
    ({"a b": -math.inf}, r"^data\['a b'\] is -inf\b"),
    ({"x": "a\0b"}, r"^data\.x contains NUL"),
    ({"x": {"a\0": 1}}, r"^data\.x has a key that contains NUL"),
    (["\ud800"], r"^data\[0\] contains a lone surrogate"),
    ({1: 2}, r"^data has a key that is no text \(1\)"),
    ({None: 2}, r"^data has a key that is no text \(None\)"),
    (b"x", r"^data is a bytes"),
    ((datetime.date(2026, 1, 1),), r"^data\[0\] is a date"),
    ([10**5000], r"^data\[0\] is an integer"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_what_cannot_be_stored_is_named(api: Any, items: Any, data: Any, message: str) -> None:
    """P5: a value that JSON or the database cannot hold is a ValueError with its place."""
    with pytest.raises(ValueError, match=message):
        api.set_cache_item(APP, "a", data)
    with pytest.raises(ValueError, match=message):
        api.set_cache_items([NewItem(APP, "b", 1), NewItem(APP, "a", data)])
    assert not items.exists()


def test_circles_and_depth(api: Any, items: Any) -> None:
    """P5: what is nested too deep, or in itself, is refused; what is not is read back."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="nested too deep"):
        api.set_cache_item(APP, "a", circle)
    assert not items.exists()
    deep: Any = "end"
    for _ in range(31):
        deep = [deep]
    api.set_cache_item(APP, "a", deep)
    assert api.get_cache_item(APP, "a").data == deep


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "n" * 256, None, 3])
def test_bad_names(api: Any, items: Any, name: Any) -> None:
    """P5: a name that a database cannot hold is a ValueError on all of them."""
    with pytest.raises(ValueError, match="name"):
        api.set_cache_item(APP, name, 1)
    assert not items.exists()


GOOD: list[Any] = [None, True, 0, -1.5, "", "emoji \U0001f600 'quote'", [], {}, 10**30]


@pytest.mark.parametrize("data", [*GOOD, {"all": GOOD}])
def test_data_comes_back(api: Any, data: Any) -> None:
    """What JSON holds is read as it was set, None included."""
    assert api.set_cache_item(APP, "a", data).data == data
    assert api.get_cache_item(APP, "a").data == data
    made = api.set_cache_items([NewItem(APP, name, data) for name in "abc"])
    assert [item.data for item in made] == [data] * 3
    assert [item.data for item in api.get_cache_items(APP, "abc").values()] == [data] * 3


def test_bulk_is_a_constant_number_of_queries(
    api: Any, project: Any, user: Any, queries: Any
) -> None:
    """Setting and getting 1,000 items takes as many statements as setting and getting ten."""

    def new(count: int) -> list[dict[str, Any]]:
        users = [None, user]
        return [
            {"app_name": APP, "name": f"n{n}", "data": n, "project": project, "user": users[n % 2]}
            for n in range(count)
        ]

    for count in (10, 1000):
        with queries() as captured:
            done = api.set_cache_items(new(count))
        assert len(statements(captured)) == 2
        assert len({item.pk for item in done}) == count
        names = [f"n{n}" for n in range(count)]
        with queries() as captured:
            found = api.get_cache_items(APP, names, project)
        assert len(captured) == 1
        assert {name: item.data for name, item in found.items()} == {
            f"n{n}": n for n in range(count)
        }
    again = api.set_cache_items([{**item, "user": None} for item in new(10)])
    assert {item.data: item.user_id for item in again}[1] == user.pk
    assert api.get_cache_items(APP, ["n0"]) == {} == api.get_cache_items(APP, [], project)


def test_a_bulk_that_is_too_large_for_one_array(
    api: Any, project: Any, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that would not fit into one JSON array, which PostgreSQL parses to 256 MB at most, are
    set all the same (P1, P3)."""
    monkeypatch.setattr(statements_module, "_MOST_JSON", 10)
    owners = [(project, user), (None, None)]
    new = [
        NewItem(APP, f"n{n}", data, project=of, user=by)
        for n, (data, (of, by)) in enumerate(product(GOOD, owners))
    ]
    for _ in range(2):
        made = api.set_cache_items(new)
        assert [item.data for item in made] == [item.data for item in new]
        assert [item.user_id for item in made] == [user.pk, None] * len(GOOD)
    assert {item.name: item.data for item in JSONCacheItem.objects.all()} == {
        item.name: item.data for item in new
    }


@pytest.mark.parametrize("is_watched", [False, True])
def test_items_of_a_bulk_are_as_they_are_read(
    api: Any, project: Any, other: Any, user: Any, database: str, is_watched: bool
) -> None:
    """A bulk set returns each item with its own project, user, UUID and names, as a read gives
    it; nothing of it is still to be loaded. Who listens to new instances hears of each."""
    places = [(of, by) for of in (project, other, None) for by in (user, None)] * 2
    new = [NewItem(APP, f"n{n}", [n], project=of, user=by) for n, (of, by) in enumerate(places)]
    heard: list[Any] = []

    def hear(instance: Any, **kwargs: Any) -> None:
        heard.append(instance)

    if is_watched:
        post_init.connect(hear, sender=JSONCacheItem)
    try:
        made = api.set_cache_items(new)
    finally:
        post_init.disconnect(hear, sender=JSONCacheItem)
    assert {*map(id, made)} <= {*map(id, heard)} if is_watched else not heard
    assert len({item.sodar_uuid for item in made}) == len(new)
    read = {item.pk: item for item in JSONCacheItem.objects.all()}
    for given, item in zip(new, made, strict=True):
        assert (item.project, item.user, item.data) == (given.project, given.user, given.data)
        assert not item.get_deferred_fields() and not item._state.adding
        mine, theirs = vars(item), vars(read[item.pk])
        assert {**mine, "_state": None} == {**theirs, "_state": None}
        assert item._state.db == database


def test_a_read_of_any_project(
    api: Any, project: Any, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: where an omitted project means any, as in SODAR Core, reads give the first item's."""
    monkeypatch.setattr(type(get_host()), "reads_any_project", True)
    assert api.get_update_time(APP, "a") is None
    first, second = (api.set_cache_item(APP, "a", 1, project=of) for of in (other, project))
    assert api.get_cache_item(APP, "a") == first
    assert api.get_update_time(APP, "a") == first.date_modified.timestamp()
    assert api.get_update_time(APP, "a", project) == second.date_modified.timestamp()
    assert api.get_update_time(APP, "a", None) is None


def test_bulk_sets_all_or_none_and_the_last_wins(api: Any, items: Any, project: Any) -> None:
    """Of several values for one item the last is set; with one that is wrong, none is."""
    api.set_cache_items([NewItem(APP, "a", n, project=project) for n in range(3)])
    assert items.get().data == 2
    with pytest.raises(ValueError, match="Unknown app name"):
        api.set_cache_items([NewItem(APP, "b", 1), NewItem("x", "c", 1)])
    with pytest.raises(TypeError, match="nmae"):
        api.set_cache_items([{"app_name": APP, "nmae": "b", "data": 1}])
    assert items.count() == 1
    assert api.set_cache_items([]) == []


def test_values_are_not_logged(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Neither values nor names are logged above DEBUG."""
    with caplog.at_level("DEBUG"):
        api.set_cache_item(APP, "secret-name", {"a": "secret-value"})
        api.delete_cache()
    ours = [record for record in caplog.records if record.name.startswith("sodarcache")]
    assert ours
    assert "secret-value" not in " ".join(record.getMessage() for record in ours)
    above = [record.getMessage() for record in ours if record.levelname != "DEBUG"]
    assert "secret-name" not in " ".join(above)


def test_forms_find_a_taken_name(api: Any, items: Any, project: Any) -> None:
    """The admin's check of the constraint says so before the database does."""
    api.set_cache_item(APP, "a", 1, project=project)
    api.set_cache_item(APP, "a", 1)
    for of in (project, None):
        twin = JSONCacheItem(app_name=APP, name="a", project=of, data=1)
        with pytest.raises(Exception, match=r"already exists|violated"):
            twin.full_clean()
