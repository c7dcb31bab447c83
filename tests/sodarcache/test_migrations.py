"""From SODAR Core's last migration to ours, with its data, on every database."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections
from django.db.migrations.executor import MigrationExecutor

from sodarcache.models import JSONCacheItem
from sodarcache.plugins import get_backend_api
from tests.sodarcache.support import APP

LAST = "0005_alter_jsoncacheitem_unique_together_and_more"


def migrate(alias: str, name: str) -> Any:
    """Migrate and return the apps of that state."""
    executor = MigrationExecutor(connections[alias])
    executor.migrate([("sodarcache", name)])
    return executor.loader.project_state([("sodarcache", name)]).apps


def latest(alias: str) -> str:
    executor = MigrationExecutor(connections[alias])
    return next(name for app, name in executor.loader.graph.leaf_nodes() if app == "sodarcache")


def test_an_existing_database_goes_on(database: str, project: Any, user: Any) -> None:
    """Items of SODAR Core's keep what they are. Of those of no project that share their names, the
    first stays, which its API read and updated. Afterwards there can be no others, and the way
    back is open."""
    newest = latest(database)
    try:
        old = migrate(database, LAST).get_model("sodarcache", "JSONCacheItem").objects
        values = {"app_name": APP, "user_id": user.pk}
        mine = old.create(**values, name="a", project_id=project.pk, data={"n": 0})
        twins = [old.create(**values, name="a", data={"n": n}) for n in range(1, 4)]
        other = old.create(**values, name="b", data={"n": 4})
    finally:
        migrate(database, newest)
    kept = JSONCacheItem.objects.order_by("pk")
    assert [item.pk for item in kept] == [mine.pk, twins[0].pk, other.pk]
    assert kept[0].sodar_uuid == mine.sodar_uuid and kept[0].date_modified == mine.date_modified
    assert {item.scope for item in kept} == {str(project.pk), ""}
    again = get_backend_api("sodar_cache").set_cache_item(APP, "a", {"n": 9})
    assert again.pk == twins[0].pk
    with pytest.raises(IntegrityError):
        JSONCacheItem.objects.create(app_name=APP, name="a", data={})


def test_one_unique_constraint_is_left(database: str) -> None:
    """P1: besides key and UUID there is one unique index, under SODAR Core's name."""
    connection = connections[database]
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "sodarcache_jsoncacheitem")
    unique = {
        name: detail["columns"]
        for name, detail in found.items()
        if detail["unique"] and detail["columns"] not in (["id"], ["sodar_uuid"])
    }
    assert list(unique.values()) == [["scope", "app_name", "name"]]
    assert connection.vendor == "sqlite" or list(unique) == ["unique_project_app_name_cache"]


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    """``makemigrations --check`` finds nothing to do, and the project model's setting is there."""
    told = io.StringIO()
    call_command("makemigrations", "sodarcache", check=True, dry_run=True, stdout=told)
    assert told.getvalue() == "No changes detected in app 'sodarcache'\n"


def test_the_original_is_replaced(database: str) -> None:
    """The first migration stands for the four that old SODAR Core databases have applied."""
    executor = MigrationExecutor(connections[database])
    first = executor.loader.disk_migrations["sodarcache", "0001_squashed_0004_update_jsonfield"]
    assert [name for _, name in first.replaces] == [
        "0001_initial",
        "0002_make_user_optional",
        "0003_add_index",
        "0004_update_jsonfield",
    ]
