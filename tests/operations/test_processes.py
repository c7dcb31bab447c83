"""Statistics of several real processes: what they do adds up."""

from collections.abc import Callable

import pytest

from cacheback_app import stats
from tests.addresses import Site
from tests.operations import shop
from tests.services import Processes, RedisServer, wait_until

pytestmark = pytest.mark.usefixtures("counting")

NAME = f"{shop.HERE}.Report"


@pytest.fixture
def site(
    shared_redis_server: RedisServer,
    use_site: Callable[[Site], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """A site of which this process is one; the others count too."""
    monkeypatch.setenv("STATS_INTERVAL", "0.1")
    # A busy machine's broker may take longer at first than a request would wait for it.
    monkeypatch.setattr("cacheback_app.queues.handoff.PATIENCE", 10.0)
    site = Site(cache=shared_redis_server.url(1), broker=shared_redis_server.url(0))
    use_site(site)
    return site


def test_web_and_worker_add_up(site: Site, processes: Processes) -> None:
    """A stale read here and its refresh in a Celery worker are figures of one job, with the time
    it was in the queue (section 7)."""
    worker = processes.celery_worker(site)
    shop.Report().get("2025")
    shop.mark_stale(shop.Report(), "2025")
    assert shop.Report().get("2025") == ["2025", 1, False]
    worker.wait_until(lambda: stats.read()[NAME].refreshes == 2, what="the worker's refresh")
    found = stats.read()[NAME]
    assert (found.misses, found.stale, found.dispatched, found.refreshes) == (1, 1, 1, 2)
    assert found.lag.count == 1 and found.lag.max < 20
    assert stats.of_this_process()[NAME].refreshes == 1


def test_a_stopped_worker_shares_its_last_figures(site: Site, processes: Processes) -> None:
    """What a pool's process did shortly before its end is shared at its end (section 7)."""
    worker = processes.celery_worker(site, pool="prefork", env={"STATS_INTERVAL": "3600"})
    shop.Report().async_refresh("2025")
    wait_until(lambda: shop.Report().raw_get("2025"), what="the worker's refresh")
    worker.stop()
    assert stats.read()[NAME].refreshes == 1


def test_processes_that_contend_lose_nothing(site: Site, processes: Processes) -> None:
    """Four processes that share into the same entries at once: the sum is exact (section 7)."""
    processes.run(site, 4, shop.share_again_and_again, 50)
    assert stats.totals()[NAME].reads == 200
    assert stats.read()[NAME].reads == 200


def test_the_end_of_a_process(site: Site, processes: Processes) -> None:
    """A process that ends shares what it has (section 7)."""
    call = processes.start(site, shop.read_and_exit_soon, 10)
    call.result()
    wait_until(lambda: not call.is_alive, what="the end of the process")
    assert stats.totals()[NAME].reads == 10


def test_a_test_run_leaves_no_figures(site: Site, processes: Processes) -> None:
    """What tests do is never among a site's figures, not at the end either (section 7)."""
    call = processes.start(site, shop.read_in_a_test_run, 10)
    call.result()
    wait_until(lambda: not call.is_alive, what="the end of the process")
    assert stats.totals() == {}


def test_a_killed_process_loses_its_last_seconds(site: Site, processes: Processes) -> None:
    """What was shared before a kill stays, once, and nothing is left half-written (section 7)."""
    call = processes.start(site, shop.read_share_read_and_die, 10)
    wait_until(lambda: not call.is_alive, what="the end of the process")
    assert stats.totals()[NAME].reads == 10
    shop.read_and_share(1)
    assert stats.totals()[NAME].reads == 11


def test_a_fork_counts_nothing_twice(site: Site, processes: Processes) -> None:
    """What was counted before a fork is the parent's alone (section 7)."""
    assert processes.start(site, shop.read_in_a_forked_child, 10).result() == {"child": 0}
    assert stats.totals()[NAME].reads == 20
