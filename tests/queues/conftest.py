"""Workers that live as long as the session, for tests that leave them as they were."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from cacheback_app.queues import handoff
from tests import services
from tests.addresses import RABBITMQ_URL, Site

QUEUE, HELD = "celery", "held"
"""The queue that the workers serve, and one that nobody serves."""


class Results:
    """The results that Celery workers left in Redis."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def all(self) -> dict[str, dict[str, Any]]:
        """Return all finished tasks by id."""
        found = {}
        for key in self._client.keys("celery-task-meta-*"):
            text = self._client.get(key)
            if text and (meta := json.loads(text))["status"] in ("SUCCESS", "FAILURE"):
                found[meta["task_id"]] = meta
        return found

    def wait(self, task_id: str) -> dict[str, Any]:
        """Return the outcome of one task."""
        return services.wait_until(lambda: self.all().get(task_id), what="the task's result")

    def wait_for_one(self) -> dict[str, Any]:
        """Return the outcome of the only task there is."""
        (found,) = services.wait_until(self.all, what="a task's result").values()
        return found


class Held:
    """The messages in a Redis broker's queue that nobody serves."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def all(self) -> list[dict[str, Any]]:
        """Return the messages as they are."""
        return [json.loads(text) for text in self._client.lrange(HELD, 0, -1)]

    def take(self) -> dict[str, Any]:
        """Take the only message out, as soon as it is there."""
        services.wait_until(lambda: self._client.llen(HELD), what="a message")
        (text,) = self._client.lpop(HELD, 10)
        return json.loads(text)

    def deliver(self, message: dict[str, Any]) -> str:
        """Give a message to the worker under an id of its own; return the id."""
        task_id = str(uuid.uuid4())
        message = {**message, "headers": {**message["headers"], "id": task_id}}
        message["properties"] = {
            **message["properties"],
            "correlation_id": task_id,
            "delivery_tag": str(uuid.uuid4()),
        }
        self._client.lpush(QUEUE, json.dumps(message))
        return task_id


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="session")
def workers(folder: Path) -> Iterator[services.Processes]:
    """As ``processes``, for the whole session."""
    started = services.Processes(folder)
    yield started
    started.close()


@pytest.fixture(scope="session")
def redis_of_workers() -> Iterator[services.RedisServer]:
    """Database 0 is the broker's, 1 the cache's, 2 the results'."""
    with services.redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def database_url() -> str:
    """The URL of the test database, which is there when a test uses it."""
    return f"sqlite://{django_settings.DATABASES['default']['TEST']['NAME']}"


def worker_env(server: services.RedisServer) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.queues.worker_settings",
        "RESULTS_URL": server.url(2),
    }


@pytest.fixture(scope="session")
def redis_site(
    workers: services.Processes, redis_of_workers: services.RedisServer, database_url: str
) -> Site:
    """A site with a Celery worker behind Redis."""
    url = redis_of_workers.url
    site = Site(cache=url(1), broker=url(0), database=database_url)
    workers.celery_worker(site, env=worker_env(redis_of_workers))
    return site


@pytest.fixture(scope="session")
def rabbitmq_site(
    workers: services.Processes,
    redis_of_workers: services.RedisServer,
    database_url: str,
    rabbitmq_url: str,
) -> Iterator[Site]:
    """A site with a Celery worker behind RabbitMQ."""
    with services.rabbitmq_queue(RABBITMQ_URL) as name:
        site = Site(
            cache=redis_of_workers.url(1),
            broker=rabbitmq_url,
            database=database_url,
            celery_queue=name,
        )
        worker = workers.celery_worker(site, env=worker_env(redis_of_workers))
        yield site
        worker.kill()  # or it would declare the queue again


@pytest.fixture
def empty_redis(redis_of_workers: services.RedisServer) -> Iterator[services.RedisServer]:
    """The workers' Redis without queued messages, cached values and results."""
    yield redis_of_workers
    for db in (1, 2):
        redis_of_workers.client(db).flushdb()
    redis_of_workers.client(0).delete(QUEUE, HELD)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers is waited for, however busy the machine is."""
    monkeypatch.setattr(handoff, "PATIENCE", 10.0)


@pytest.fixture
def on_redis(
    redis_site: Site,
    use_site: Callable[[Site], None],
    empty_redis: services.RedisServer,
    settings: Any,
    patience: None,
) -> Site:
    """This process is one more of the site whose worker is behind Redis."""
    settings.CACHEBACK_TASK_IGNORE_RESULT = False
    use_site(redis_site)
    return redis_site


@pytest.fixture(params=["redis", "rabbitmq"])
def on_broker(
    request: pytest.FixtureRequest,
    use_site: Callable[[Site], None],
    empty_redis: services.RedisServer,
    settings: Any,
    patience: None,
) -> Site:
    """This process is one more of a site with a worker; every test runs with both brokers."""
    site: Site = request.getfixturevalue(f"{request.param}_site")
    settings.CACHEBACK_TASK_IGNORE_RESULT = False
    use_site(site)
    return site


@pytest.fixture
def results(empty_redis: services.RedisServer) -> Results:
    return Results(empty_redis.client(2))


@pytest.fixture
def held(empty_redis: services.RedisServer) -> Held:
    return Held(empty_redis.client(0))


@pytest.fixture
def name() -> str:
    """An argument that no other test uses, so that no late task of another test matters."""
    return f"name-{uuid.uuid4().hex[:8]}"
