"""RQ with real workers."""

import json
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cacheback_app.queues import RefreshCall
from tests import services
from tests.addresses import Site

from .jobs import AsyncPrice, Broken, Echo, Flaky, Price, Shop, fetches, make_stale
from .test_celery import renewed

pytest.importorskip("django_rq")
rq = pytest.importorskip("rq")


class RetriedFlaky(Flaky):
    task_options = {"retry": rq.Retry(max=2)}


@pytest.fixture(scope="module")
def server() -> Iterator[services.RedisServer]:
    """Database 0 is RQ's, 1 the cache's."""
    with services.redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def site(workers: services.Processes, server: services.RedisServer) -> Iterator[Site]:
    found = Site(cache=server.url(1), broker=server.url(0), queue="rq")
    worker = workers.rq_worker(found, options=["--with-scheduler"])
    yield found
    worker.kill()


@pytest.fixture(autouse=True)
def on_rq(
    site: Site, server: services.RedisServer, use_site: Callable[[Site], None]
) -> Iterator[Site]:
    """This process is one more of the site that has the worker."""
    use_site(site)
    yield site
    client = server.client(0)
    # A worker that still ends a job must find it, or it would call it failed in the next test.
    services.wait_until(lambda: not client.exists("rq:queue:default", "rq:wip:default"))
    for key in client.keys("rq:job:*") + client.keys("rq:failed:*"):
        client.delete(key)


@pytest.fixture
def held(settings: Any, on_rq: Site) -> Callable[[], Any]:
    """Return the only RQ job in a queue that nobody serves."""
    settings.RQ_QUEUES = {
        "default": {"URL": on_rq.broker},
        "held": {"URL": on_rq.broker},
        "json": {"URL": on_rq.broker, "SERIALIZER": "rq.serializers.JSONSerializer"},
    }
    import django_rq

    def take(name: str = "held") -> Any:
        queue = django_rq.get_queue(name)
        services.wait_until(lambda: queue.job_ids, what="a job")
        (job,) = queue.jobs
        return job

    return take


def test_stale_value_is_renewed_by_the_worker(name: str) -> None:
    """The caller gets the stale value at once, and the worker stores a fresh one (J2, J14)."""
    make_stale(Price(), name)
    assert Price().get(name) == "old"
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    assert fetches(name) == 1


def test_async_fetch_and_arguments(name: str) -> None:
    """Async fetches are awaited, arguments arrive as they were (J14, J18)."""
    make_stale(AsyncPrice(), name)
    AsyncPrice().get(name)
    argument = ({1, 2}, Shop("Bonn"), (3,))
    job = Echo().using(fetch_on_miss=False)
    job.get(argument)
    assert renewed(lambda: job.raw_get(argument)) == (argument, (), {})
    assert renewed(lambda: AsyncPrice().raw_get(name)) == f"{name} #1"


def test_failing_fetch_fails_the_job(server: services.RedisServer, name: str) -> None:
    """A fetch that raises makes RQ's job fail, with the traceback (J9)."""
    from django_rq import get_queue

    make_stale(Broken(), name)
    assert Broken().get(name) == "old"
    registry = get_queue("default").failed_job_registry
    (job_id,) = services.wait_until(registry.get_job_ids, what="the failed job")
    job = get_queue("default").fetch_job(job_id)
    assert "LookupError: the upstream is down" in job.latest_result().exc_string
    assert server.client(0).ttl(f"rq:job:{job_id}") < 8 * 24 * 60 * 60
    assert Broken().get(name) == "old"


def test_successful_job_leaves_nothing(server: services.RedisServer, name: str) -> None:
    """Results are ignored unless the site wants them (settings)."""
    make_stale(Price(), name)
    Price().get(name)
    renewed(lambda: Price().raw_get(name))
    services.wait_until(lambda: not server.client(0).keys("rq:job:*"), what="an empty Redis")


def test_retry(name: str) -> None:
    """RQ's own retries apply: the second try is let through (J9)."""
    make_stale(RetriedFlaky(), name)
    assert RetriedFlaky().get(name) == "old"
    assert renewed(lambda: RetriedFlaky().raw_get(name)) == f"{name} #2"


def test_countdown(name: str) -> None:
    """RQ's scheduler delays a refresh, and its claim lasts as long (section 2)."""
    job = Price().using(task_options={"countdown": 2}, refresh_timeout=10)
    make_stale(job, name)
    began = time.monotonic()
    assert job.get(name) == "old"
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
    assert time.monotonic() - began > 0.9  # the scheduler counts in whole seconds


@pytest.mark.parametrize("timeout", ["timeout", "job_timeout"])
def test_options(held: Callable[..., Any], name: str, timeout: str) -> None:
    """A job lives as long as its claim, and shows no arguments; other options are RQ's, under
    the names of ``Queue.enqueue`` too (J8, section 2)."""
    job = Price().using(task_options={"queue": "held", timeout: 77}, refresh_timeout=33)
    make_stale(job, name)
    job.get(name)
    found = held()
    assert found.ttl == 33
    assert found.timeout == 77
    assert found.description == "refresh tests.queues.jobs.Price"
    assert found.result_ttl == 0
    found.delete()


def test_priority_has_no_meaning(name: str) -> None:
    """An option that RQ has no notion of does not keep the worker from working (section 2)."""
    job = Price().using(task_options={"priority": 5})
    make_stale(job, name)
    job.get(name)
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"


def test_json_serializer(held: Callable[..., Any], server: services.RedisServer, name: str) -> None:
    """With RQ's JSON serializer all that is in Redis is JSON (J14)."""
    job = Price().using(task_options={"queue": "json"})
    make_stale(job, name)
    job.get(name)
    found = held("json")
    raw = server.client(0).hget(f"rq:job:{found.id}", "data")
    function, _, (message,), _ = json.loads(zlib.decompress(raw))
    assert function == "cacheback_app.queues.rq.refresh"
    assert RefreshCall.from_message(message).key == Price().key(name)
    found.delete()


def test_unknown_queue(name: str) -> None:
    """A queue that ``RQ_QUEUES`` does not have is like one that cannot be reached (J10)."""
    job = Price().using(task_options={"queue": "nowhere"})
    make_stale(job, name)
    assert job.get(name) in (f"{name} #1", "old")
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
