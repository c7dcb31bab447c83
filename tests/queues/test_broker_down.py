"""Brokers that refuse, that never answer, and that die after having worked."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest import mock

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from cacheback_app import Job, signals
from cacheback_app.exceptions import QueueError
from cacheback_app.queues.handoff import handoff
from tests import services
from tests.addresses import Site
from tests.testapp.models import Author

from .jobs import Broken, Echo, Price, fetches, make_stale
from .proxy import Proxy, proxy
from .test_celery import renewed

BOUND = 2.0
"""Seconds, far above what J10 allows, and far below what brokers' clients wait by themselves."""

SCHEMES = ["redis://{}/0", "amqp://guest:guest@{}//"]


def timed(get: Callable[[], Any]) -> Any:
    """Return what ``get`` does, which must not take long."""
    began = time.monotonic()
    value = get()
    assert time.monotonic() - began < BOUND
    return value


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(params=["refuses", "is silent"])
def dead_port(request: pytest.FixtureRequest) -> int:
    """The port of a broker that is of no use."""
    if request.param == "refuses":
        return services.free_port()
    port: int = request.getfixturevalue("silent_port")
    return port


@pytest.fixture(params=[*SCHEMES, "rq"], ids=["redis", "rabbitmq", "rq"])
def dead(
    request: pytest.FixtureRequest,
    dead_port: int,
    shared_redis_server: services.RedisServer,
    use_site: Callable[[Site], None],
) -> Site:
    """A site whose cache works and whose broker does not."""
    is_rq = request.param == "rq"
    address = f"127.0.0.1:{dead_port}"
    broker = (SCHEMES[0] if is_rq else request.param).format(address)
    site = Site(cache=shared_redis_server.url(1), broker=broker, queue="rq" if is_rq else "celery")
    if is_rq:
        pytest.importorskip("django_rq")
    use_site(site)
    return site


@pytest.fixture
def failures() -> Iterator[list[dict[str, Any]]]:
    """The signals that tell of a refresh that could not be handed over."""
    seen: list[dict[str, Any]] = []

    def note(**details: Any) -> None:
        seen.append(details)

    signals.dispatch_failed.connect(note)
    yield seen
    signals.dispatch_failed.disconnect(note)


def test_fetch_in_the_caller(dead: Site, failures: Any, name: str) -> None:
    """By default the caller fetches when the queue cannot be reached (J10)."""
    make_stale(Price(), name)
    assert timed(lambda: Price().get(name)) == f"{name} #1"
    assert Price().get(name) == f"{name} #1"
    assert fetches(name) == 1
    (failure,) = failures
    assert failure["sender"] is Price
    assert failure["key"] == Price().key(name)
    assert isinstance(failure["exception"], QueueError)


def test_serve_what_there_is(dead: Site, failures: Any, name: str) -> None:
    """With "serve" the stale value is served, and the broker asked once per claim (J10)."""
    job = Price().using(on_dispatch_error="serve")
    make_stale(job, name)
    for _ in range(5):
        assert timed(lambda: job.get(name)) == "old"
    assert len(failures) == 1
    assert fetches(name) == 0


def test_raise(dead: Site, name: str) -> None:
    """With "raise" the caller is told, and only then (J10)."""
    job = Price().using(on_dispatch_error="raise")
    make_stale(job, name)
    with pytest.raises(QueueError):
        timed(lambda: job.get(name))
    assert job.get(name) == "old"


def test_many_stale_values(dead: Site, name: str) -> None:
    """A page of forty stale values waits for a dead broker once, not forty times (J10)."""
    job = Price().using(on_dispatch_error="serve")
    for number in range(40):
        make_stale(job, f"{name}{number}")
    values = timed(lambda: [job.get(f"{name}{number}") for number in range(40)])
    assert values == ["old"] * 40


@pytest.mark.parametrize("action", ["fetch", "serve"])
def test_nothing_is_raised(dead: Site, name: str, action: str) -> None:
    """With broker and upstream down the stale value is served, and nothing is raised (J10, J7)."""
    job = Broken().using(on_dispatch_error=action)
    make_stale(job, name)
    assert timed(lambda: job.get(name)) == "old"
    assert timed(lambda: job.get(name)) == "old"


@pytest.mark.parametrize("action", ["fetch", "serve"])
def test_missing_value(dead: Site, name: str, action: str) -> None:
    """A miss without ``fetch_on_miss`` gives what the caller fetched, or ``empty()`` (J10, J4)."""
    job = Price().using(on_dispatch_error=action, fetch_on_miss=False)
    value = timed(lambda: job.get(name))
    assert value == (f"{name} #1" if action == "fetch" else None)


@pytest.mark.parametrize("call", ["invalidate", "async_refresh"])
def test_other_ways_to_dispatch(dead: Site, name: str, call: str) -> None:
    """``invalidate`` and ``async_refresh`` keep to the same bounds (J10)."""
    job: Job = Price()
    job.set(name, data="old")
    timed(lambda: getattr(job, call)(name))
    assert timed(lambda: job.get(name)) in (f"{name} #1", "old")


@pytest.fixture(params=["redis_site", "rabbitmq_site"], ids=["redis", "rabbitmq"])
def behind_proxy(
    request: pytest.FixtureRequest,
    use_site: Callable[[Site], None],
    empty_redis: services.RedisServer,
) -> Iterator[Proxy]:
    """This process reaches its broker through a proxy, which has been used already."""
    site: Site = request.getfixturevalue(request.param)
    with proxy(site.broker) as running:
        use_site(replace(site, broker=running.url))
        make_stale(Price(), "first")
        Price().get("first")
        renewed(lambda: Price().raw_get("first"))
        yield running
        handoff.flush()


def test_connection_that_was_cut(behind_proxy: Proxy, failures: Any, name: str) -> None:
    """A broker that restarted unnoticed costs nothing: the message is sent again (J8, J10)."""
    behind_proxy.cut()
    make_stale(Price(), name)
    assert timed(lambda: Price().get(name)) == "old"
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    assert failures == []


def test_broker_that_is_replaced(behind_proxy: Proxy, name: str) -> None:
    """What a test puts in the place of ``refresh_cache.apply_async`` is not trusted for the
    broker's sake: ``get`` knows when it returns what became of its call (J10)."""
    from cacheback_app.tasks import refresh_cache

    make_stale(Price(), name)
    with mock.patch.object(refresh_cache, "apply_async", side_effect=OSError("down")):
        assert Price().get(name) == f"{name} #1"
    make_stale(Price(), f"{name} next")
    with mock.patch.object(refresh_cache, "apply_async") as sent:
        assert Price().get(f"{name} next") == "old"
        sent.assert_called_once()


@pytest.mark.parametrize("action", ["fetch", "serve"])
def test_broker_that_died(behind_proxy: Proxy, failures: Any, name: str, action: str) -> None:
    """When a broker turns out to be gone after the caller went on, what the job says is done in
    the background (J10)."""
    behind_proxy.close()
    job = Price().using(on_dispatch_error=action)
    make_stale(job, name)
    assert timed(lambda: job.get(name)) == "old"
    services.wait_until(lambda: failures, what="the failure")
    if action == "fetch":
        assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
    else:
        handoff.flush()
        assert job.get(name) == "old"
    assert fetches(name) == (1 if action == "fetch" else 0)
    make_stale(job, f"{name} next")
    expected = f"{name} next #1" if action == "fetch" else "old"
    assert timed(lambda: job.get(f"{name} next")) == expected


def test_broker_that_comes_back(
    redis_server: services.RedisServer,
    shared_redis_server: services.RedisServer,
    use_site: Callable[[Site], None],
    monkeypatch: pytest.MonkeyPatch,
    failures: Any,
    name: str,
) -> None:
    """After an outage messages are sent again by themselves (J8)."""
    monkeypatch.setattr("cacheback_app.queues.handoff.RETRY_AFTER", 0.1)
    use_site(Site(cache=shared_redis_server.url(1), broker=redis_server.url(0)))
    job = Price().using(on_dispatch_error="serve", error_backoff=0)

    def dispatched(number: int) -> int:
        make_stale(job, f"{name}{number}")
        timed(lambda: job.get(f"{name}{number}"))
        return int(redis_server.client(0).llen("celery"))

    assert dispatched(1) == 1
    redis_server.stop()
    make_stale(job, name)
    timed(lambda: job.get(name))
    services.wait_until(lambda: failures, what="the failure")
    redis_server.start()
    services.wait_until(lambda: dispatched(2) > 0, what="a message")


def test_connection_that_hangs(
    redis_site: Site,
    use_site: Callable[[Site], None],
    empty_redis: services.RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """A connection whose other end vanished is given up for a new one (J8)."""
    monkeypatch.setattr("cacheback_app.queues.handoff.RETRY_AFTER", 0.1)
    with proxy(redis_site.broker) as running:
        use_site(replace(redis_site, broker=running.url))
        make_stale(Price(), name)
        Price().get(name)
        renewed(lambda: Price().raw_get(name))
        running.freeze()
        job = Price().using(on_dispatch_error="serve", error_backoff=0, refresh_timeout=0.5)

        def is_renewed() -> bool:
            make_stale(job, f"{name} next")
            timed(lambda: job.get(f"{name} next"))
            time.sleep(0.2)
            return bool(fetches(f"{name} next"))

        services.wait_until(is_renewed, 20, what="a refresh over a new connection")
    handoff.flush()


def test_task_that_was_sent_late(
    redis_server: services.RedisServer,
    shared_redis_server: services.RedisServer,
    use_site: Callable[[Site], None],
    name: str,
) -> None:
    """What waited to be sent expires with its claim, not that much later (J8)."""
    use_site(Site(cache=shared_redis_server.url(1), broker=redis_server.url(0)))
    job = Price().using(refresh_timeout=1.5, task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    client = redis_server.client(0)
    services.wait_until(lambda: client.llen("held"), what="a message")
    client.delete("held")
    redis_server.pause()
    for number in range(3):
        make_stale(job, f"{name}{number}")
        assert timed(lambda number=number: job.get(f"{name}{number}")) == "old"
    lapses = job.explain(f"{name}2").claimed_until
    time.sleep(0.7)
    redis_server.resume()
    assert handoff.flush()
    messages = [json.loads(text) for text in client.lrange("held", 0, -1)]
    assert messages
    for message in messages:
        expires = datetime.fromisoformat(message["headers"]["expires"])
        assert expires.timestamp() < lapses + 0.3


@pytest.mark.django_db(transaction=True)
def test_publisher_keeps_no_database_connection(
    behind_proxy: Proxy, failures: Any, name: str
) -> None:
    """The thread that finds the broker gone, and reads a model instance to say so, leaves no
    database connection open (J10)."""
    opened: list[Any] = []

    def note(connection: Any, **kwargs: Any) -> None:
        opened.append(connection)

    author = Author.objects.create(name="Ann")
    connection_created.connect(note)
    try:
        behind_proxy.close()
        job = Echo().using(on_dispatch_error="serve")
        make_stale(job, author)
        assert timed(lambda: job.get(author)) == "old"
        services.wait_until(lambda: failures, what="the failure")
        assert handoff.flush()
        assert job.get(author) == "old"
    finally:
        connection_created.disconnect(note)
    assert all(it.connection is None for it in opened if it is not connections["default"])
