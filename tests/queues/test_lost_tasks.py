"""Workers that are killed, brokers that are flushed: what is lost costs one claim."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests import services
from tests.addresses import Site

from .conftest import worker_env
from .jobs import Gated, Price, fetches, journal, make_stale
from .test_celery import renewed

LOST = "nobody"


def claimed(job: Any, *args: Any) -> bool:
    return job.explain(*args).claimed_until is not None


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_worker_killed_in_mid_fetch(
    redis_of_workers: services.RedisServer,
    empty_redis: services.RedisServer,
    redis_site: Site,
    use_site: Callable[[Site], None],
    processes: services.Processes,
    name: str,
    pool: str,
) -> None:
    """After a worker's death nobody refreshes until its claim lapses; then another does (J8)."""
    queue = f"mortal-{uuid.uuid4().hex[:8]}"
    site = replace(redis_site, celery_queue=queue)
    use_site(site)
    worker = processes.celery_worker(site, pool=pool, env=worker_env(redis_of_workers))
    make_stale(Gated(), name)
    assert Gated().get(name) == "old"
    with journal() as client:
        assert client.blpop([f"began:{name}"], 20), worker.log
    worker.kill()
    assert Gated().get(name) == "old"
    assert claimed(Gated(), name)
    services.wait_until(lambda: not claimed(Gated(), name), 5, what="the claim's end")
    use_site(redis_site)  # whose worker lives
    assert Gated().get(name) == "old"
    assert renewed(lambda: Gated().raw_get(name)) == f"{name} #2"
    assert fetches(name) == 2
    empty_redis.client(0).delete(queue)


def test_broker_flushed(on_redis: Site, redis_of_workers: services.RedisServer, name: str) -> None:
    """A message that the broker lost is sent again when its claim has lapsed (J8)."""
    lost = Price().using(refresh_timeout=0.5, task_options={"queue": LOST})
    make_stale(lost, name)
    lost.get(name)
    client = redis_of_workers.client(0)
    services.wait_until(lambda: client.llen(LOST), what="a message")
    client.flushdb()
    job = Price().using(refresh_timeout=0.5)
    assert job.get(name) == "old"
    assert client.llen("celery") == 0
    services.wait_until(lambda: not claimed(job, name), 5, what="the claim's end")
    assert job.get(name) == "old"
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
    assert fetches(name) == 1


def test_cache_flushed(on_redis: Site, held: Any, results: Any, name: str) -> None:
    """A task whose claim was flushed with the whole cache does nothing, and the next miss is a
    miss (J8)."""
    job = Price().using(task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    message = held.take()
    with journal() as client:
        client.flushdb()
    assert results.wait(held.deliver(message))["result"] is False
    assert job.get(name) == f"{name} #1"


def test_one_dispatch_per_claim(on_redis: Site, held: Any, name: str) -> None:
    """However many callers see it stale, one message is sent per claim (J2)."""
    job = Price().using(task_options={"queue": "held"})
    make_stale(job, name)
    for _ in range(20):
        assert job.get(name) == "old"
    held.take()
    assert held.all() == []
