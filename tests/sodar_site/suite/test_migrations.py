"""A database that SODAR Core made goes on working."""

import json
import uuid
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings
from projectroles.models import Project

import sodarcache
from sodarcache.models import JSONCacheItem
from sodarcache.plugins import get_backend_api

ORIGINAL = override_settings(MIGRATION_MODULES={"sodarcache": "original_migrations"})
APP = "example_project_app"
# What 0001_squashed_0004_update_jsonfield replaces: what an old site has in its history.
REPLACED = ("0001_initial", "0002_make_user_optional", "0003_add_index", "0004_update_jsonfield")
SQUASHED = "0001_squashed_0004_update_jsonfield"


def execute(sql: str, *params: Any) -> list[Any]:
    """Run a statement; return the rows of a SELECT."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def insert(project: Project | None, name: str, data: Any) -> None:
    """Insert a row as the original does."""
    execute(
        "INSERT INTO sodarcache_jsoncacheitem"
        " (project_id, app_name, name, date_modified, sodar_uuid, data)"
        " VALUES (%s, %s, %s, now(), %s, %s)",
        project and project.pk,
        APP,
        name,
        uuid.uuid4(),
        json.dumps(data),
    )


class TestMigrations(TransactionTestCase):
    """The original's migrations, rows, then ours."""

    def setUp(self) -> None:
        """Begin with the table as the original's last migration leaves it."""
        call_command("migrate", "sodarcache", "zero", verbosity=0)
        with ORIGINAL:
            call_command("migrate", "sodarcache", verbosity=0)
        self.project = Project.objects.create(title="Towers", type="PROJECT")

    def tearDown(self) -> None:
        """Leave what is ours behind."""
        call_command("migrate", "sodarcache", verbosity=0)

    def test_this_is_our_app(self) -> None:
        """The package under test is this checkout's."""
        root = Path(__file__).resolve().parents[3]
        assert Path(sodarcache.__file__).resolve().is_relative_to(root / "sodarcache")

    def test_rows_stay_and_duplicates_go(self) -> None:
        """P1: of items of no project with one name, the one that the original's API read stays."""
        insert(self.project, "a", {"of": "project"})
        for number in range(3):
            insert(None, "a", number)
        insert(None, "b", "alone")
        call_command("migrate", "sodarcache", verbosity=0)
        rows = JSONCacheItem.objects.order_by("name", "project").values_list("name", "data")
        assert list(rows) == [("a", {"of": "project"}), ("a", 0), ("b", "alone")]

    def test_what_was_there_is_read_and_set(self) -> None:
        """P1, P3: an old row is found, and a set replaces it."""
        insert(self.project, "a", 1)
        insert(None, "a", 2)
        call_command("migrate", "sodarcache", verbosity=0)
        api = get_backend_api("sodar_cache")
        for project, old in ((self.project, 1), (None, 2)):
            item = api.get_cache_item(APP, "a", project=project)
            assert item.data == old
            new = api.set_cache_item(APP, "a", data=old + 10, project=project)
            assert (new.pk, new.sodar_uuid) == (item.pk, item.sodar_uuid)
            assert new.date_modified > item.date_modified
        assert JSONCacheItem.objects.count() == 2

    def test_the_history_of_an_old_site(self) -> None:
        """The original's first four migrations, each by itself, count as the squashed one."""
        insert(self.project, "a", 1)
        execute("DELETE FROM django_migrations WHERE app = 'sodarcache' AND name = %s", SQUASHED)
        for name in REPLACED:
            execute(
                "INSERT INTO django_migrations (app, name, applied)"
                " VALUES ('sodarcache', %s, now())",
                name,
            )
        call_command("migrate", "sodarcache", verbosity=0)
        assert JSONCacheItem.objects.get().data == 1

    def test_the_table_is_that_of_a_new_site(self) -> None:
        """Columns, indexes and constraints are the same on both ways, and the models fit."""
        call_command("migrate", "sodarcache", verbosity=0)
        upgraded = self.table()
        call_command("migrate", "sodarcache", "zero", verbosity=0)
        call_command("migrate", "sodarcache", verbosity=0)
        assert self.table() == upgraded
        call_command("makemigrations", "sodarcache", check=True, dry_run=True, verbosity=0)

    def test_the_original_goes_on_while_the_new_code_is_rolled_out(self) -> None:
        """An INSERT of the original works on the migrated table."""
        call_command("migrate", "sodarcache", verbosity=0)
        insert(self.project, "a", 1)
        assert JSONCacheItem.objects.get().data == 1

    def test_the_way_back(self) -> None:
        """Migrated back to 0005, the original's table and rows are there."""
        call_command("migrate", "sodarcache", verbosity=0)
        get_backend_api("sodar_cache").set_cache_item(APP, "a", data=1, project=self.project)
        call_command("migrate", "sodarcache", "0005", verbosity=0)
        insert(None, "b", 2)
        assert execute("SELECT name FROM sodarcache_jsoncacheitem ORDER BY name") == [
            ("a",),
            ("b",),
        ]

    @staticmethod
    def table() -> Any:
        """Return the definition of the table."""
        columns = execute(
            "SELECT column_name, data_type, is_nullable, column_default, character_maximum_length,"
            " generation_expression FROM information_schema.columns"
            " WHERE table_name = 'sodarcache_jsoncacheitem' ORDER BY column_name"
        )
        indexes = execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'sodarcache_jsoncacheitem'"
            " ORDER BY indexdef"
        )
        return columns, indexes
