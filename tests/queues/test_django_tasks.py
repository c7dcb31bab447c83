"""Django's tasks: in place, nowhere, and in the database with a real worker."""

import asyncio
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django import VERSION
from django.db import connections, transaction
from django.db.backends.signals import connection_created

from cacheback_app import Job
from cacheback_app.queues import RefreshCall
from tests import services
from tests.addresses import Site
from tests.testapp.models import Author

from .jobs import Broken, Echo, Price, fetches, make_stale
from .test_celery import renewed

django_tasks = import_module("django.tasks" if VERSION >= (6, 0) else "django_tasks")
PREFIX = f"{django_tasks.__name__}.backends"


class Tide(Job):
    """Needs no server."""

    def fetch(self, port: str) -> str:
        return f"tide at {port}"


class Low(Job):
    def fetch(self) -> str:
        raise LookupError("the upstream is down")


@pytest.fixture
def tasks(settings: Any) -> Callable[[str], Any]:
    """Chooses the backend of Django's tasks."""

    def use(backend: str) -> Any:
        settings.TASKS = {"default": {"BACKEND": backend}}
        settings.CACHEBACK_TASK_QUEUE = "django_tasks"
        return django_tasks.task_backends["default"]

    return use


def test_immediate_backend(tasks: Callable[[str], Any]) -> None:
    """A backend that runs tasks at once has renewed the value when ``get`` returns (section 2)."""
    tasks(f"{PREFIX}.immediate.ImmediateBackend")
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "old"
    assert Tide().get("Emden") == "tide at Emden"


def test_immediate_backend_and_async_caller(tasks: Callable[[str], Any]) -> None:
    """The same for an async caller (J18)."""
    tasks(f"{PREFIX}.immediate.ImmediateBackend")
    make_stale(Tide(), "Emden")
    assert asyncio.run(Tide().aget("Emden")) == "old"
    assert Tide().get("Emden") == "tide at Emden"


def test_failing_fetch_is_the_tasks_failure(
    tasks: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A fetch that raises fails the task and not the caller (J9, J7)."""
    task_finished = import_module(f"{django_tasks.__name__}.signals").task_finished
    outcomes = []

    def note(task_result: Any, **kwargs: Any) -> None:
        outcomes.append((task_result.status.name, task_result.errors[0].exception_class_path))

    tasks(f"{PREFIX}.immediate.ImmediateBackend")
    make_stale(Low())
    task_finished.connect(note)
    try:
        assert Low().get() == "old"
    finally:
        task_finished.disconnect(note)
    assert outcomes == [("FAILED", "builtins.LookupError")]


def test_dummy_backend(tasks: Callable[[str], Any]) -> None:
    """The dummy backend keeps the task; what is in it is JSON and runs elsewhere (J14)."""
    backend = tasks(f"{PREFIX}.dummy.DummyBackend")
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "old"
    (result,) = backend.results
    assert result.task.module_path == "cacheback_app.queues.django_tasks.refresh"
    (message,) = result.args
    assert RefreshCall.from_message(message).run() is True
    assert Tide().get("Emden") == "tide at Emden"


def test_options(tasks: Callable[[str], Any], settings: Any) -> None:
    """Queue, priority, delay and backend of ``task_options`` are Django's (section 2)."""
    tasks(f"{PREFIX}.dummy.DummyBackend")
    backend = {"BACKEND": f"{PREFIX}.dummy.DummyBackend", "QUEUES": ["slow", "default"]}
    settings.TASKS = {"default": backend, "other": backend}
    options = {"queue": "slow", "priority": 7, "countdown": 60, "backend": "other"}
    job = Tide().using(task_options=options)
    make_stale(job, "Emden")
    job.get("Emden")
    (result,) = django_tasks.task_backends["other"].results
    assert (result.task.queue_name, result.task.priority) == ("slow", 7)
    assert result.task.run_after is not None


@pytest.mark.parametrize("options", [{"queue": "nowhere"}, {"backend": "none"}, {"expires": 5}])
def test_options_that_do_not_work(tasks: Callable[[str], Any], options: dict[str, Any]) -> None:
    """What the backend refuses is like a queue that cannot be reached (J10)."""
    tasks(f"{PREFIX}.dummy.DummyBackend")
    job = Tide().using(task_options=options)
    make_stale(job, "Emden")
    assert job.get("Emden") == "tide at Emden"


pytest_db = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def database_worker(
    workers: services.Processes,
    redis_of_workers: services.RedisServer,
    database_url: str,
    django_db_setup: None,
) -> Iterator[Site]:
    """A site with a worker that takes its tasks from the database."""
    pytest.importorskip("django_tasks_db")
    site = Site(cache=redis_of_workers.url(1), queue="django_tasks", database=database_url)
    worker = workers.django_tasks_worker(site)
    yield site
    worker.kill()


@pytest.fixture
def in_database(
    database_worker: Site,
    use_site: Callable[[Site], None],
    empty_redis: services.RedisServer,
    tasks: Callable[[str], Any],
) -> Site:
    """This process is one more of the site that has the worker."""
    use_site(database_worker)
    tasks("django_tasks_db.DatabaseBackend")
    return database_worker


def statuses() -> list[str]:
    from django_tasks_db.models import DBTaskResult

    return [str(status) for status in DBTaskResult.objects.values_list("status", flat=True)]


@pytest_db
def test_database_backend(in_database: Site, name: str) -> None:
    """The database's worker renews the value, under the reader's key, with its arguments (J14)."""
    author = Author.objects.create(name="Ann")
    make_stale(Price(), name)
    assert Price().get(name) == "old"
    job = Echo().using(fetch_on_miss=False)
    job.get(author, {1, 2})
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    assert renewed(lambda: job.raw_get(author, {1, 2})) == (author, ({1, 2},), {})


@pytest_db
def test_database_backend_and_failure(in_database: Site, name: str) -> None:
    """A fetch that raises fails the task in the database (J9)."""
    make_stale(Broken(), name)
    assert Broken().get(name) == "old"
    services.wait_until(lambda: statuses() == ["FAILED"], what="the failed task")
    assert Broken().get(name) == "old"
    assert fetches(name) == 1


@pytest_db
def test_task_takes_part_in_the_transaction(in_database: Site, name: str) -> None:
    """A task that was enqueued in a transaction that is rolled back never was (J12)."""
    make_stale(Price(), name)
    with transaction.atomic():
        assert Price().get(name) == "old"
        assert statuses() == ["READY"]
        transaction.set_rollback(True)
    assert statuses() == []
    assert fetches(name) == 0


@pytest_db
def test_async_caller(in_database: Site, name: str) -> None:
    """An async caller's task is enqueued as well, with no connection left behind (J18)."""
    opened: list[Any] = []

    def note(connection: Any, **kwargs: Any) -> None:
        opened.append(connection)

    make_stale(Price(), name)
    connection_created.connect(note)
    try:
        assert async_to_sync(Price().aget)(name) == "old"
    finally:
        connection_created.disconnect(note)
    assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    others = [it for it in opened if it is not connections["default"]]
    assert all(it.connection is None for it in others)


class FullBackend(import_module(f"{PREFIX}.base").BaseTaskBackend):  # type: ignore[misc]
    """A backend in the default database, which takes no task."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        Author.objects.create(pk=Author.objects.create(name="one").pk, name="another")


@pytest_db
def test_queue_down_in_a_transaction(tasks: Callable[[str], Any]) -> None:
    """A task that the database does not take leaves the caller's transaction as it was (J10)."""
    tasks(f"{__name__}.FullBackend")
    make_stale(Tide(), "Emden")
    with transaction.atomic():
        Author.objects.create(name="before")
        assert Tide().get("Emden") == "tide at Emden"
        Author.objects.create(name="after")
    assert [author.name for author in Author.objects.all()] == ["after", "before"]
