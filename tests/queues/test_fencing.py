"""What happens to a key while a worker in another process is fetching it."""

import pytest

from tests.addresses import Site
from tests.services import wait_until

from .conftest import Results
from .jobs import Gated, fetches, journal, make_stale
from .test_celery import renewed


@pytest.fixture
def fetching(on_redis: Site, name: str) -> Gated:
    """A job whose first fetch has begun in the worker."""
    job = Gated().using(refresh_timeout=30)
    make_stale(job, name)
    assert job.get(name) == "old"
    with journal() as client:
        assert client.blpop([f"began:{name}"], 20)
    return job


def let_through(name: str) -> None:
    with journal() as client:
        client.rpush(f"gate:{name}", "go")


def test_set(fetching: Gated, results: Results, name: str) -> None:
    """A value that was set while the worker fetched is not overwritten (J5)."""
    fetching.set(name, data="by hand")
    let_through(name)
    results.wait_for_one()
    assert fetching.get(name) == "by hand"


def test_delete(fetching: Gated, results: Results, name: str) -> None:
    """A key that was deleted while the worker fetched is not resurrected (J5)."""
    fetching.delete(name)
    let_through(name)
    results.wait_for_one()
    assert fetching.raw_get(name) is None


def test_invalidate(fetching: Gated, results: Results, name: str) -> None:
    """What a worker fetched before an invalidation is not fresh: another refresh is sent (J5)."""
    fetching.invalidate(name)
    assert fetching.get(name) == "old"
    let_through(name)
    wait_until(lambda: len(results.all()) == 2, what="two results")
    assert fetching.get(name) == f"{name} #2"
    assert fetching.explain(name).status == fetching.HIT


def test_refresh_in_the_caller(fetching: Gated, results: Results, name: str) -> None:
    """A caller's own ``refresh`` counts, and the worker's older value does not replace it (J5)."""
    assert fetching.refresh(name) == f"{name} #2"
    let_through(name)
    results.wait_for_one()
    assert fetching.get(name) == f"{name} #2"


def test_no_second_fetch_meanwhile(fetching: Gated, name: str) -> None:
    """While a worker fetches, everybody is served the stale value, and nobody else fetches (J2)."""
    found = fetching.explain(name)
    assert found.status == fetching.STALE
    for _ in range(5):
        assert fetching.get(name) == "old"
        fetching.async_refresh(name)
    let_through(name)
    assert renewed(lambda: fetching.raw_get(name)) == f"{name} #1"
    assert fetches(name) == 1


def test_caller_waits_for_the_worker(fetching: Gated, name: str) -> None:
    """A caller that must not serve so old a value waits for the worker's fetch (J3)."""
    impatient = fetching.using(fetch_on_stale_threshold=0, wait_timeout=0.2)
    assert impatient.get(name) == "old"
    let_through(name)
    assert renewed(lambda: fetching.raw_get(name)) == f"{name} #1"
    assert fetches(name) == 1
