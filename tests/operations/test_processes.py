"""Statistics of several real processes: what they do adds up."""

import os
import signal
import threading
import warnings
from collections.abc import Callable

import pytest

from cacheback_app import stats
from cacheback_app.panel import backlog
from cacheback_app.stats.sharing import sharing
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


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_what_came_too_late_is_counted(site: Site, processes: Processes, pool: str) -> None:
    """J8, section 7: Celery drops a message whose claim has ended before any task of ours runs. The
    worker that dropped it counts it as skipped, so that nobody takes it for a worker that is away;
    and nothing was fetched."""
    job = shop.Report().using(refresh_timeout=0.2)
    job.get("2025")
    shop.mark_stale(job, "2025")
    assert job.get("2025") == ["2025", 1, False]
    wait_until(lambda: job.explain("2025").claimed_until is None, what="the end of the claim")
    assert backlog.of(stats.read().values()).count == 1
    worker = processes.celery_worker(site, pool=pool)
    worker.wait_until(lambda: stats.read()[NAME].skipped, what="what the worker has dropped")
    found = stats.read()[NAME]
    assert dict(found.skipped) == {"expired": 1}
    assert (found.dispatched, found.refreshes, found.lag.count) == (1, 1, 0)
    assert backlog.of(stats.read().values()) == backlog.Backlog(has_worked=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_that_is_forked_while_figures_are_shared() -> None:
    """A worker's main process shares figures as well, and forks: its child's are not held up."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with sharing:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, as here
        child = os.fork()
    if not child:
        signal.alarm(10)  # which would end it
        stats.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


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
