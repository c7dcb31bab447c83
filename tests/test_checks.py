"""System checks, both sides of each."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import Celery
from django.core.checks import CheckMessage, run_checks

import cacheback_app
from cacheback_app import Job, QuerySetGetJob, cacheback
from cacheback_app.checks import check_jobs
from cacheback_app.engine import registry

ROOT = Path(cacheback_app.__file__).parent.parent
APPS = "cacheback_app", "sodarcache"
REDIS = {"BACKEND": "cacheback_app.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
MEMORY = "cacheback_app.stores.LocalMemoryStore"


@pytest.fixture(autouse=True)
def celery_app(monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The Celery app of the site, whichever another test has left as the current one."""
    app = Celery("checks", broker="memory://", set_as_current=False)
    monkeypatch.setattr("cacheback_app.queues.celery.get_current_app", lambda: app)
    return app


def messages() -> list[CheckMessage]:
    return run_checks(tags=["cacheback"])


def found() -> list[str | None]:
    """The ids of what is wrong with the settings, whatever jobs other tests have made."""
    return [message.id for message in messages() if message.obj is None]


def found_about(target: Any) -> list[str | None]:
    return [message.id for message in check_jobs(None) if message.obj is target]


@pytest.mark.parametrize(
    ("cache", "queue", "expected"),
    [
        (LOCAL, "celery", ["cacheback.W001"]),
        (DUMMY, "celery", ["cacheback.W002"]),
        (DUMMY, "threads", ["cacheback.W002"]),
        (REDIS, "celery", []),
        (LOCAL, "threads", []),
        (LOCAL, "sync", []),
        (REDIS, "carrier.pigeons", ["cacheback.E001"]),
    ],
)
def test_queue_and_cache(
    settings: Any, cache: dict[str, Any], queue: str, expected: list[str]
) -> None:
    """A queue in other processes needs a cache that they share; an unknown one is an error, and
    a cache that keeps nothing is told of (section 7)."""
    settings.CACHES = {"default": cache}
    settings.CACHEBACK_TASK_QUEUE = queue
    assert found() == expected


@pytest.mark.parametrize(("cache", "queue"), [(LOCAL, "celery"), (DUMMY, "threads")])
def test_nothing_to_keep(settings: Any, cache: dict[str, Any], queue: str) -> None:
    """Where nothing is to be cached, a cache that could not keep it is no mistake: W002 advises
    ``CACHEBACK_ENABLED = False``, and heeds it (section 7)."""
    settings.CACHES = {"default": cache}
    settings.CACHEBACK_TASK_QUEUE = queue
    settings.CACHEBACK_ENABLED = False
    assert found() == []


def test_alias(settings: Any) -> None:
    """An alias that CACHES does not have is an error (section 7)."""
    settings.CACHEBACK_CACHE_ALIAS = "elsewhere"
    assert found() == ["cacheback.E002"]


@pytest.mark.parametrize(
    ("backend", "options", "expected"),
    [
        ("LocalMemoryStore", {}, []),
        ("LocalFileStore", {}, ["cacheback.E004"]),
        ("NoSuchStore", {}, ["cacheback.E004"]),
        ("LocalMemoryStore", {"colour": "red"}, ["cacheback.E004"]),
    ],
)
def test_stores(settings: Any, backend: str, options: Any, expected: list[str]) -> None:
    """A store that can't be built is an error, told once however many containers use it (section
    7)."""
    path = f"cacheback_app.stores.{backend}"
    settings.CACHEBACK_STORES = {"default": {"BACKEND": path, "OPTIONS": options}}
    settings.CACHEBACK_CONTAINERS = {"a": {}, "b": {"STORE": "default"}}
    assert found() == expected


def test_variables_of_stores(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of a store that there is not changes nothing, and is told (section 3)."""
    settings.CACHEBACK_STORES = {"my-state": {"BACKEND": MEMORY}}
    settings.CACHEBACK_CONTAINERS = {}
    assert found() == []
    monkeypatch.setenv("cacheback_store_mystate_path", "var")
    assert found() == ["cacheback.W008"]
    monkeypatch.delenv("cacheback_store_mystate_path")
    monkeypatch.setenv("CACHEBACK_STORE_MY_STATE_PATH", "var")
    assert found() == ["cacheback.E004"], "LocalMemoryStore has no path"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"STORE": MEMORY, "EXPIRE": "1m"}, []),
        ({"STORE": MEMORY, "EXPIRE": "soon"}, ["cacheback.E005"]),
        ({"STORE": "nowhere"}, ["cacheback.E005"]),
        ("default", ["cacheback.E005"]),
        ({"STORE": MEMORY, "GENERATOR": "tests.containers.greetings.generate"}, []),
        ({"STORE": MEMORY, "GENERATOR": "tests.containers.greetings.misspelt"}, ["cacheback.E005"]),
        ({"STORE": MEMORY, "GENERATOR": "no.such.module"}, ["cacheback.E005"]),
    ],
)
def test_containers(settings: Any, container: Any, expected: list[str]) -> None:
    """A container that can't be built is an error, and so is one whose generator is not there
    (section 7)."""
    settings.CACHEBACK_CONTAINERS = {"greeting": container}
    assert found() == expected


def test_a_generator_whose_module_fails(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator's module that raises is an error here, and does not end the other checks
    (section 7)."""

    def explode(path: str) -> None:
        raise ZeroDivisionError("in greetings.py")

    monkeypatch.setattr("cacheback_app.containers.container.import_string", explode)
    settings.CACHEBACK_CONTAINERS = {"greeting": {"STORE": MEMORY, "GENERATOR": "greetings.fail"}}
    (message,) = [each for each in messages() if each.id == "cacheback.E005"]
    assert "in greetings.py" in message.msg


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a job at the top of a module of its own."""
    module = ModuleType("made_for_checks")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = registry.jobs()

    def define(base: type[Job] = Job, **attributes: Any) -> type[Job]:
        given = {"fetch": lambda self, x: x, **attributes}
        names = {"__module__": module.__name__, "__qualname__": "Made"}
        module.Made = type("Made", (base,), {**given, **names})  # type: ignore[attr-defined]
        return module.Made  # type: ignore[attr-defined,no-any-return]

    yield define
    for path in registry.jobs().keys() - before:
        registry._targets.pop(path)


@pytest.mark.parametrize(
    ("lifetime", "cache_ttl", "expected"),
    [
        (600, 601, []),
        ("10 minutes", None, []),
        (600, 600, ["cacheback.W003"]),
        ("1 hour", "10 minutes", ["cacheback.W003"]),
    ],
)
def test_lifetimes(define: Any, lifetime: Any, cache_ttl: Any, expected: list[str]) -> None:
    """A value that is gone before it is stale can never be served stale (section 7)."""
    assert found_about(define(lifetime=lifetime, cache_ttl=cache_ttl)) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"lifetime": "20 minutes", "jitter": 0.1, "early_refresh": 1}, []),
        ({"lifetime": "20 parsecs"}, ["cacheback.E003"]),
        ({"refresh_timeout": -1}, ["cacheback.E003"]),
        ({"lifetime": None}, ["cacheback.E003"]),
        ({"cache_ttl": None, "wait_timeout": None}, []),
        ({"error_backoff": [10]}, ["cacheback.E003"]),
        ({"on_dispatch_error": "pray"}, ["cacheback.E003"]),
        ({"jitter": "much"}, ["cacheback.E003"]),
        ({"jitter": 1}, []),
        ({"jitter": 10}, ["cacheback.E003"]),
        ({"early_refresh": 10}, []),
        ({"refresh_timeout": 0}, ["cacheback.E003"]),
        ({"error_backoff": 0, "local_ttl": 0}, []),
        ({"early_refresh": -1.0}, ["cacheback.E003"]),
    ],
)
def test_values_of_options(define: Any, attributes: dict[str, Any], expected: list[str]) -> None:
    """A class attribute that means nothing is an error, and told once (section 7)."""
    assert found_about(define(**attributes)) == expected


@pytest.mark.parametrize(
    ("broker", "transport_options", "timeout", "expected"),
    [
        ("redis://127.0.0.1:1/0", {}, 3600, []),
        ("redis://127.0.0.1:1/0", {}, "2 hours", ["cacheback.W004"]),
        ("redis://127.0.0.1:1/0", {"visibility_timeout": 10_000}, "2 hours", []),
        ("redis://127.0.0.1:1/0", {"visibility_timeout": 30}, 60, ["cacheback.W004"]),
        ("sqs://", {}, 1801, ["cacheback.W004"]),
        ("amqp://127.0.0.1:1//", {}, "2 hours", []),
    ],
)
def test_visibility_timeout(
    define: Any,
    settings: Any,
    celery_app: Celery,
    broker: str,
    transport_options: dict[str, int],
    timeout: Any,
    expected: list[str],
) -> None:
    """A refresh that may take longer than the broker waits for it would be delivered again
    (section 7)."""
    celery_app.conf.broker_url = broker
    celery_app.conf.broker_transport_options = transport_options
    settings.CACHES = {"default": REDIS}
    settings.CACHEBACK_TASK_QUEUE = "celery"
    assert found_about(define(refresh_timeout=timeout)) == expected


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({}, ["cacheback.W007"]),
        ({"broker_url": "memory://"}, []),
        ({"broker_write_url": "memory://"}, []),
        ({"task_always_eager": True}, []),
    ],
)
@pytest.mark.parametrize("queue", ["celery", "threads"])
@pytest.mark.parametrize("enabled", [True, False])
def test_no_celery_app(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    configured: dict[str, Any],
    expected: list[str],
    queue: str,
    enabled: bool,
) -> None:
    """Celery's own fallback app, which a process has that imported no other, sends refreshes where
    no worker of the site looks for them: that is told, if Celery is what refreshes (section 7)."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    app = Celery("default", set_as_current=False)
    app.conf.update(configured)
    monkeypatch.setattr("cacheback_app.queues.celery.get_current_app", lambda: app)
    settings.CACHES = {"default": REDIS}
    settings.CACHEBACK_TASK_QUEUE = queue
    settings.CACHEBACK_ENABLED = enabled
    assert found() == (expected if enabled and queue == "celery" else [])


def test_a_celery_app_without_a_broker_of_its_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's own app may well use the RabbitMQ of its host, and who has no jobs sends nothing
    (section 7)."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    settings.CACHES = {"default": REDIS}
    settings.CACHEBACK_TASK_QUEUE = "celery"
    app = Celery("shop", set_as_current=False)
    monkeypatch.setattr("cacheback_app.queues.celery.get_current_app", lambda: app)
    assert found() == []
    app.main = "default"
    assert found() == ["cacheback.W007"]
    monkeypatch.setattr("cacheback_app.checks.jobs.known_jobs", dict)
    assert found() == []


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (5, []),
        ("10s", []),
        ("soon", ["cacheback.E007"]),
        (-1, ["cacheback.E007"]),
        (None, ["cacheback.E007"]),
        ([5], ["cacheback.E007"]),
    ],
)
def test_interval_of_the_statistics(settings: Any, interval: Any, expected: list[str]) -> None:
    """An interval that is no duration would end the thread that shares the figures (section 7)."""
    settings.CACHES = {"default": LOCAL}
    settings.CACHEBACK_TASK_QUEUE = "threads"
    settings.CACHEBACK_STATS_INTERVAL = interval
    assert found() == expected


@pytest.mark.parametrize(("queue", "expected"), [("celery", ["cacheback.W005"]), ("threads", [])])
def test_not_importable(define: Any, settings: Any, queue: str, expected: list[str]) -> None:
    """A job that a worker could not import is told of: one inside of a function, and one whose
    module no longer has it (section 7)."""

    class Nested(Job):
        pass

    made = define()
    del sys.modules["made_for_checks"].Made  # type: ignore[attr-defined]
    settings.CACHEBACK_TASK_QUEUE = queue
    assert found_about(Nested) == found_about(made) == expected


def test_importable(define: Any, settings: Any) -> None:
    """A job at the top of its module can be imported (section 7)."""
    settings.CACHEBACK_TASK_QUEUE = "celery"
    assert found_about(define()) == []


@pytest.mark.parametrize(
    ("alias", "queue", "expected"),
    [
        ("default", "celery", []),
        ("mine", "celery", ["cacheback.W001"]),
        ("mine", "threads", []),
        ("nothing", "threads", ["cacheback.W002"]),
        ("elsewhere", "threads", ["cacheback.E002"]),
    ],
)
def test_a_jobs_own_cache(
    define: Any, settings: Any, alias: str, queue: str, expected: list[str]
) -> None:
    """The cache that a job names is checked as the site's is, and the site's only once (section
    7)."""
    settings.CACHES = {"default": REDIS, "mine": LOCAL, "nothing": DUMMY}
    settings.CACHEBACK_TASK_QUEUE = queue
    assert found_about(define(cache_alias=alias)) == expected


def init(self: Any, town: str) -> None:
    self.town = town


def init_of_anything(self: Any, *args: Any, **kwargs: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"__init__": init}, ["cacheback.W006"]),
        ({"__init__": init, "get_init_kwargs": lambda self: {"town": self.town}}, []),
        ({"__init__": init, "key": lambda self, x: f"{self.town}:{x}"}, []),
        ({"__init__": init_of_anything}, []),
        ({}, []),
    ],
)
def test_shared_keys(define: Any, attributes: dict[str, Any], expected: list[str]) -> None:
    """A job made with arguments that are no part of its keys is told of (section 7)."""
    assert found_about(define(**attributes)) == expected


def test_query_set_jobs_have_their_model_in_their_keys(define: Any) -> None:
    """A query set job that keeps its ``__init__`` shares nothing (section 7)."""
    assert found_about(define(QuerySetGetJob)) == []


def test_options_of_a_decorated_function() -> None:
    """A decorated function is checked as a class is (section 7)."""

    @cacheback(lifetime=60, cache_ttl=30)
    def function() -> int:
        return 1

    registry.register("made_for_checks:function", function)
    try:
        assert found_about(function) == ["cacheback.W003"]
    finally:
        registry._targets.pop("made_for_checks:function")


def test_modules_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of jobs that raises is an error here, and does not end the other checks (section
    7)."""

    def explode(*modules: str) -> None:
        raise ZeroDivisionError("in shop/jobs.py")

    assert "cacheback.E006" not in found()
    monkeypatch.setattr("cacheback_app.catalogue.autodiscover_modules", explode)
    (message,) = [each for each in messages() if each.id == "cacheback.E006"]
    assert "in shop/jobs.py" in message.msg


def test_every_check_has_a_hint_and_a_place_in_the_documents() -> None:
    """docs/checks.md has an anchor for each id that the code uses, and no other (section 7)."""
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    code = "".join(path.read_text() for path in files)
    used = re.findall(r'id="(\w+\.[EW]\d+)"', code)
    page = (ROOT / "docs" / "checks.md").read_text()
    documented = re.findall(r"^## (.*\.[EW]\d+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(used)
    assert len(used) == code.count("hint=")
