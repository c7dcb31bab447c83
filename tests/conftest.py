"""Fixtures of the whole suite. What they hand out is documented in ``tests.services``."""

import gc
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache.backends import locmem

from tests import services
from tests.addresses import MEMCACHED, RABBITMQ_URL, REDIS_DB, Site, redis_db
from tests.store_fixtures import (  # noqa: F401 - fixtures are found by being here
    _aws_environment,
    dynalite,
    dynalite_store,
    mariadb_alias,
    moto,
    moto_store,
    postgres_alias,
    session_mariadb,
    session_postgres,
    sqlite_alias,
)


def pytest_configure() -> None:
    django_settings.RUN_DIR.mkdir(parents=True, exist_ok=True)


def pytest_collection_finish() -> None:
    # What is imported by now stays. A collection that a test asks for, of which there are
    # hundreds, need not walk through all modules and tests each time. Hypothesis comes first: it
    # asks who refers to a random generator, which is not told of what is frozen.
    importlib.import_module("hypothesis")
    gc.collect()
    gc.freeze()


def forget() -> None:
    """Forget what this process keeps in its memory."""
    from cacheback_app.engine.flights import flights
    from cacheback_app.engine.near import near
    from cacheback_app.engine.outages import log
    from cacheback_app.queues.handoff import handoff

    handoff.flush()
    handoff.reset()
    flights.reset()
    near.clear()
    log.reset()
    for store in (*locmem._caches.values(), *locmem._expire_info.values()):
        store.clear()


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Every test begins with empty local memory caches and a process that remembers nothing."""
    forget()
    yield
    forget()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Leave the test database its name, which workers are told: it is in a folder of this
    process's own already, and needs no suffix from pytest-xdist."""


@pytest.fixture
def redis_url() -> Iterator[str]:
    """An empty database of the standard Redis server, that of the aliases in ``CACHES``."""
    url = redis_db(REDIS_DB)
    services.flush_redis(url)
    yield url
    services.flush_redis(url)


@pytest.fixture
def redis_server() -> Iterator[services.RedisServer]:
    """A Redis server of this test's own, to be stopped, started and paused at will."""
    with services.redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def _session_redis_server() -> Iterator[services.RedisServer]:
    with services.redis_server() as server:
        yield server


@pytest.fixture
def shared_redis_server(
    _session_redis_server: services.RedisServer,
) -> services.RedisServer:
    """A private Redis server that outlives the test: empty, to be left running."""
    _session_redis_server.flush()
    return _session_redis_server


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """The address of RabbitMQ."""
    services.check_rabbitmq(RABBITMQ_URL)
    return RABBITMQ_URL


@pytest.fixture
def rabbitmq_queue(rabbitmq_url: str, processes: services.Processes) -> Iterator[str]:
    """The name of a queue of this test's own, for ``Site(celery_queue=...)``."""
    with services.rabbitmq_queue(rabbitmq_url) as name:
        yield name
        processes.close()  # a worker would declare the queue again


@pytest.fixture
def memcached() -> str:
    """The address of memcached, that of the alias in ``CACHES``."""
    services.check_memcached(MEMCACHED)
    return MEMCACHED


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for ``Site(database=...)``."""
    with services.postgres_database() as url:
        yield url


@pytest.fixture
def mariadb() -> Iterator[str]:
    """The URL of an empty MariaDB database, for ``Site(database=...)``."""
    with services.mariadb_database() as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet, for ``Site(database=...)``."""
    return f"sqlite://{tmp_path / 'site.sqlite3'}"


@pytest.fixture
def default_database(transactional_db: None) -> str:
    """The URL of this process's own default database, for ``Site(database=...)``."""
    from django.db import connection

    return f"sqlite://{connection.settings_dict['NAME']}"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[services.Processes]:
    """Starts workers, commands and functions in other processes, which end with the test."""
    started = services.Processes(tmp_path)
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def use_site(settings: Any) -> Iterator[Callable[[Site], None]]:
    """Makes this process one more of a site: its caches, queue and broker, not its database."""
    from celery import _state

    from tests import celery_app

    default, current = _state.default_app, _state._tls.current_app
    apps = []

    def use(site: Site) -> None:
        for name, value in site.settings().items():
            setattr(settings, name, value)
        app = celery_app.make_app()
        app.set_default()
        apps.append(app)

    yield use
    _state.set_default_app(default)
    _state._tls.current_app = current
    for app in apps:
        app.close()
