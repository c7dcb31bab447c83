"""Fixtures of stores on the real thing, for the whole suite; ``tests.conftest`` has them all."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connections

from cacheback_app.stores.handler import build
from tests import services
from tests.addresses import database

STORES = "cacheback_app.stores"


@pytest.fixture(scope="session")
def _aws_environment() -> Iterator[None]:
    """Credentials that no server asks about, and no others of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield


@pytest.fixture(scope="session")
def moto(_aws_environment: None) -> Iterator[str]:
    """The address of a private server of moto's: DynamoDB and STS."""
    with services.moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def dynalite(_aws_environment: None) -> Iterator[str]:
    """The address of a private dynalite: another DynamoDB."""
    with services.dynalite_server() as url:
        yield url


@pytest.fixture(scope="session")
def session_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database that outlives the test."""
    with services.postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def session_mariadb() -> Iterator[str]:
    """The URL of a MariaDB database that outlives the test."""
    with services.mariadb_database() as url:
        yield url


def dynamodb(url: str) -> dict[str, Any]:
    """Return the definition of a store on a new table."""
    table = f"table-{uuid.uuid4().hex}"
    definition = {
        "BACKEND": f"{STORES}.DynamoDBStore",
        "OPTIONS": {"url": url, "table": table},
    }
    store: Any = build("new", definition)
    store.create_table()
    store.close()
    return definition


def sqlalchemy(url: str) -> dict[str, Any]:
    """Return the definition of a store on the database of ``Site(database=url)``."""
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    scheme = urlsplit(url).scheme
    return {
        "BACKEND": f"{STORES}.SQLAlchemyStore",
        "OPTIONS": {
            "url": url.replace(scheme, driver.get(scheme, scheme), 1).replace(
                "sqlite://", "sqlite:///"
            ),
            # SQLite's driver gives up after 5 s, when many processes write on a slow disk.
            "engine_options": {"connect_args": {"timeout": 60}} if scheme == "sqlite" else None,
        },
    }


@contextmanager
def added_database(alias: str, url: str) -> Iterator[None]:
    """Add the database of ``Site(database=url)`` to ``DATABASES``."""
    databases = connections.configure_settings({"default": {}, alias: database(url)})
    connections.settings[alias] = databases[alias]
    yield
    connections[alias].close()
    del connections[alias]
    del connections.settings[alias]


@contextmanager
def migrated_database(alias: str, url: str, blocker: Any) -> Iterator[str]:
    """As ``added_database``, with the tables of this package."""
    with added_database(alias, url):
        with blocker.unblock():
            call_command("migrate", "cacheback_app", database=alias, verbosity=0)
            connections[alias].close()
        yield alias


# After django_db_setup, which would make test databases of these, too.


@pytest.fixture(scope="session")
def sqlite_alias(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database on SQLite."""
    path = tmp_path_factory.mktemp("database") / "site.sqlite3"
    with migrated_database("store_sqlite", f"sqlite://{path}", django_db_blocker) as alias:
        yield alias


@pytest.fixture(scope="session")
def postgres_alias(
    django_db_setup: None, django_db_blocker: Any, session_postgres: str
) -> Iterator[str]:
    """A database on PostgreSQL."""
    with migrated_database("store_postgres", session_postgres, django_db_blocker) as alias:
        yield alias


@pytest.fixture(scope="session")
def mariadb_alias(
    django_db_setup: None, django_db_blocker: Any, session_mariadb: str
) -> Iterator[str]:
    """A database on MariaDB."""
    with migrated_database("store_mariadb", session_mariadb, django_db_blocker) as alias:
        yield alias


@pytest.fixture(scope="session")
def moto_store(moto: str) -> dict[str, Any]:
    """The definition of a store on moto."""
    return dynamodb(moto)


@pytest.fixture(scope="session")
def dynalite_store(dynalite: str) -> dict[str, Any]:
    """The definition of a store on dynalite."""
    return dynamodb(dynalite)
