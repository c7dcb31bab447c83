"""S2 and S4 over processes: races on every shared backend, and writers that are killed."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.stores import NotFoundException
from tests import services, store_fixtures
from tests.addresses import Site
from tests.stores.in_other_processes import kill_writers, opened, race

PROCESSES = 8
COUNTS = 10
KILLS = 8
SITE = Site(cache="", backend="locmem")
STORES = store_fixtures.STORES

LOCAL = ["files", "fast files", "SQLite", "SQLAlchemy on SQLite", "Redis"]
SERVERS = ["SQLAlchemy on PostgreSQL", "SQLAlchemy on MariaDB"]
SERVERS += ["database on PostgreSQL", "database on MariaDB"]
DYNAMODB = ["moto", "dynalite"]


class Backends:
    """What each backend needs, or why it is not here."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self.skipped: dict[str, str] = {}
        self.found: dict[str, dict[str, Any]] = {}
        for name in (*LOCAL, *SERVERS, *DYNAMODB):
            try:
                self.found[name] = self._find(name)
            except pytest.skip.Exception as exc:
                self.skipped[name] = str(exc)

    def _find(self, name: str) -> dict[str, Any]:
        if " on " in name:
            api, _, server = name.partition(" on ")
            url = self._url(server)
            if api == "SQLAlchemy":
                return {"definition": store_fixtures.sqlalchemy(url), "database": None}
            return {"definition": self._definition("DatabaseStore", using="store"), "database": url}
        definition = {
            "files": lambda: self._definition("LocalFileStore", path=self._path("durable")),
            "fast files": lambda: self._definition(
                "LocalFileStore", path=self._path("fast"), durable=False
            ),
            "SQLite": lambda: self._definition("SQLiteStore", path=self._path("store.sqlite3")),
            "Redis": lambda: self._definition("RedisStore", url=self._redis().url(3)),
            "moto": lambda: self._request.getfixturevalue("moto_store"),
            "dynalite": lambda: self._request.getfixturevalue("dynalite_store"),
        }[name]()
        return {"definition": copy.deepcopy(definition), "database": None}

    def _definition(self, backend: str, **options: Any) -> dict[str, Any]:
        return {"BACKEND": f"{STORES}.{backend}", "OPTIONS": options}

    def _path(self, name: str) -> str:
        return str(self._folder / name)

    def _redis(self) -> services.RedisServer:
        server: services.RedisServer = self._request.getfixturevalue("_session_redis_server")
        return server

    def _url(self, server: str) -> str:
        if server == "SQLite":
            return f"sqlite://{self._path('alchemy.sqlite3')}"
        self._request.getfixturevalue(f"{_SHORT[server]}_alias")  # migrates it
        url: str = self._request.getfixturevalue(f"session_{_SHORT[server]}")
        return url


_SHORT = {"PostgreSQL": "postgres", "MariaDB": "mariadb"}


@pytest.fixture(scope="module")
def backends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backends:
    return Backends(request, tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Processes]:
    """As the fixture of that name, for the module: eight processes take seconds to start."""
    started = services.Processes(tmp_path_factory.mktemp("processes"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def outcomes(
    backends: Backends, processes: services.Processes, django_db_blocker: Any
) -> list[dict[str, Any]]:
    """What came of the race in each process."""
    for backend in backends.found.values():
        with django_db_blocker.unblock(), opened(backend) as (store, close):
            for sk, value in {"swap": "start", "delete": "start", "count": "0"}.items():
                store.set("race", sk, value)
            close()
    return processes.run(SITE, PROCESSES, race, PROCESSES, backends.found, COUNTS, timeout=100)


@pytest.fixture(scope="module")
def killed(backends: Backends, processes: services.Processes, outcomes: Any) -> dict[str, Any]:
    """What came of the writers that were killed."""
    names = [name for name in (*LOCAL, *SERVERS) if name in backends.found]
    chosen = {name: backends.found[name] for name in names}
    (outcome,) = processes.run(SITE, 1, kill_writers, chosen, KILLS, timeout=100)
    return dict(outcome)


def check(backends: Backends, name: str) -> None:
    if name in backends.skipped:
        pytest.skip(backends.skipped[name])


@pytest.mark.parametrize("name", [*LOCAL, *SERVERS, *DYNAMODB])
def test_race(
    name: str, backends: Backends, outcomes: list[dict[str, Any]], django_db_blocker: Any
) -> None:
    """S2: over eight processes one writer wins each race, and the counter has the exact total."""
    check(backends, name)
    of_each = [outcome[name] for outcome in outcomes]
    for outcome in of_each:
        assert isinstance(outcome, dict), outcome
    winners = {
        what: [index for index, won in enumerate(of_each) if won[what]]
        for what in ("add", "swap", "delete")
    }
    assert {what: len(indexes) for what, indexes in winners.items()} == dict.fromkeys(winners, 1)
    with django_db_blocker.unblock(), opened(backends.found[name]) as (store, close):
        assert store.get("race", "add") == str(winners["add"][0])
        assert store.get("race", "swap") == str(winners["swap"][0])
        with pytest.raises(NotFoundException):
            store.get("race", "delete")
        assert store.get("race", "count") == str(PROCESSES * COUNTS)
        close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("name", [*LOCAL, *SERVERS])
def test_killed_writers(name: str, backends: Backends, killed: dict[str, Any]) -> None:
    """S4: SIGKILL while a writer writes leaves the value that it committed last, or the next."""
    check(backends, name)
    assert isinstance(killed[name], int), killed[name]
    assert killed[name] >= KILLS
