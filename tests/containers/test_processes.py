"""C1: over processes that share a store the generator runs once."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.containers import CacheContainer
from cacheback_app.stores import BaseStore
from tests import services
from tests.addresses import Site
from tests.containers import greetings
from tests.containers.conftest import SHARED, parameter

PROCESSES = {"SQLiteStore": 8, "RedisStore": 8}
"""How many processes race; fewer where the protocol is the same and only the store another."""


@pytest.fixture(params=[parameter(kind) for kind in SHARED])
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a backend that processes can share."""
    return str(request.param)


@pytest.fixture
def site(kind: str, request: pytest.FixtureRequest) -> Site:
    """What the processes share besides the store."""
    if kind == "DatabaseStore":
        return Site(
            cache="", backend="locmem", database=request.getfixturevalue("default_database")
        )
    return Site(cache="", backend="locmem")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a file for each run of a generator."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def test_processes_generate_once(
    kind: str,
    site: Site,
    definition: dict[str, Any],
    runs: Path,
    processes: services.Processes,
) -> None:
    """C1: processes that ask together get the one value."""
    count = PROCESSES.get(kind, 3)
    arguments = (definition, str(runs), 0.3, 60)
    values = processes.run(site, count, greetings.read_slowly, *arguments)
    assert len(list(runs.iterdir())) == 1
    assert values == [values[0]] * count


def test_another_takes_over_from_a_killed_one(
    kind: str,
    site: Site,
    definition: dict[str, Any],
    store: BaseStore,
    runs: Path,
    processes: services.Processes,
) -> None:
    """C1: when the generating process is killed, who waits generates once its claim has lapsed."""
    timeout = 1.0
    call = processes.start(site, greetings.read_slowly, 0, definition, str(runs), 60, timeout)
    services.wait_until(lambda: list(runs.iterdir()), 20)
    call.kill()
    container = CacheContainer("greeting", store, lambda key: "taken over", timeout=timeout)
    assert "Peter" not in container
    assert container["Peter"] == "taken over"


@pytest.mark.parametrize("kind", ["SQLiteStore", "RedisStore"])
def test_failures_are_tried_one_at_a_time(
    kind: str, site: Site, definition: dict[str, Any], runs: Path, processes: services.Processes
) -> None:
    """C1: each process gets its own exception, and no two generators run together."""
    errors = processes.run(site, 4, greetings.fail, definition, str(runs))
    assert errors == ["0", "1", "2", "3"]
    times = sorted(tuple(map(float, run.read_text().split())) for run in runs.iterdir())
    assert len(times) == 4
    for (_, end), (begin, _) in itertools.pairwise(times):
        assert end <= begin
