"""The same tests on SQLite, PostgreSQL and MariaDB."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from sodarcache.api import SODARCacheAPI
from sodarcache.models import JSONCacheItem, Project
from tests.jobs.conftest import clock  # noqa: F401 - fixtures are found by being here
from tests.sodarcache.support import DATABASES, Router
from tests.store_fixtures import added_database


def _migrated(alias: str, url: str, blocker: Any) -> Iterator[str]:
    with added_database(alias, url):
        with blocker.unblock(), override_settings(DATABASE_ROUTERS=[Router(alias)]):
            call_command("migrate", database=alias, verbosity=0)
            connections[alias].close()
        yield alias


@pytest.fixture(scope="session")
def sodar_sqlite(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of the whole site on SQLite."""
    url = f"sqlite://{tmp_path_factory.mktemp('database') / 'site.sqlite3'}"
    yield from _migrated("sodar_sqlite", url, django_db_blocker)


@pytest.fixture(scope="session")
def sodar_postgres(
    django_db_setup: None, django_db_blocker: Any, session_postgres: str
) -> Iterator[str]:
    """A database of the whole site on PostgreSQL."""
    yield from _migrated("sodar_postgres", session_postgres, django_db_blocker)


@pytest.fixture(scope="session")
def sodar_mariadb(
    django_db_setup: None, django_db_blocker: Any, session_mariadb: str
) -> Iterator[str]:
    """A database of the whole site on MariaDB."""
    yield from _migrated("sodar_mariadb", session_mariadb, django_db_blocker)


@pytest.fixture(params=DATABASES)
def database(
    request: pytest.FixtureRequest, settings: Any, django_db_blocker: Any
) -> Iterator[str]:
    """The alias of the database that this test's site has; everything is committed for real."""
    alias = request.getfixturevalue(f"sodar_{request.param}")
    settings.DATABASE_ROUTERS = [Router(alias)]
    with django_db_blocker.unblock():
        yield alias
        for model in (JSONCacheItem, Project, get_user_model()):  # flush takes a second
            model._default_manager.all().delete()
        connections[alias].close()


@pytest.fixture
def api(database: str) -> type[SODARCacheAPI]:
    """The API, on that database."""
    return SODARCacheAPI


@pytest.fixture
def project(database: str) -> Any:
    """A project."""
    return Project.objects.create(title="Towers")


@pytest.fixture
def other(database: str) -> Any:
    """Another project."""
    return Project.objects.create(title="Bridges")


@pytest.fixture
def user(database: str) -> Any:
    """Somebody who sets items."""
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def items(database: str) -> Any:
    """What is in the table."""
    return JSONCacheItem.objects
