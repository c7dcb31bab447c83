"""``CACHEBACK_TASK_QUEUE``, and queues of one's own."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from cacheback_app import Job
from cacheback_app.exceptions import JobNotImportable, QueueError
from cacheback_app.queues import BaseQueue, get_queue
from cacheback_app.queues.handoff import handoff

from .pigeons import LostPigeonQueue, PigeonQueue


class Tide(Job):
    """Counts its fetches in this process."""

    fetched = 0

    def fetch(self, port: str) -> str:
        type(self).fetched += 1
        return f"tide at {port}"


@pytest.fixture(autouse=True)
def reset() -> Iterator[None]:
    Tide.fetched = 0
    yield
    PigeonQueue.letters.clear()


def make_stale(job: Job, *args: Any) -> None:
    job.using(lifetime=0).set(*args, data="old")


@pytest.mark.parametrize("name", ["celery", "rq", "django_tasks", "threads", "sync"])
def test_built_in(settings: Any, name: str) -> None:
    """Each built-in name stands for a queue, which is made once (section 2)."""
    if name == "rq":
        pytest.importorskip("django_rq")
    settings.CACHEBACK_TASK_QUEUE = name
    queue = get_queue()
    assert isinstance(queue, BaseQueue)
    assert queue is get_queue()
    assert queue.in_process is (name in ("threads", "sync"))
    assert queue.supports_delay is (name in ("celery", "rq", "django_tasks"))
    assert queue.supports_priority is (name in ("celery", "django_tasks"))


def test_default(settings: Any) -> None:
    """Without the setting it is Celery (settings)."""
    del settings.CACHEBACK_TASK_QUEUE
    assert type(get_queue()).__name__ == "CeleryQueue"


@pytest.mark.parametrize(
    "name",
    [
        "carrier",
        "no.such.Queue",
        "tests.queues.pigeons.NoSuchQueue",
        "tests.queues.pigeons.not_a_queue",
        "cacheback_app.queues.RefreshCall",
        "",
        None,
        7,
    ],
)
def test_bad_name(settings: Any, name: Any) -> None:
    """A queue that there is not is a clear error that names the setting (settings)."""
    settings.CACHEBACK_TASK_QUEUE = name
    with pytest.raises(ImproperlyConfigured, match="CACHEBACK_TASK_QUEUE"):
        get_queue()


def test_bad_name_is_not_hidden_by_get(settings: Any) -> None:
    """A misconfiguration is no outage: ``get`` says so instead of fetching for ever (J10)."""
    make_stale(Tide(), "Emden")
    settings.CACHEBACK_TASK_QUEUE = "no.such.Queue"
    with pytest.raises(ImproperlyConfigured):
        Tide().get("Emden")


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("rq", ["django_rq"], r"cacheback-app\[rq\]"),
        ("django_tasks", ["django_tasks", "django.tasks"], r"cacheback-app\[django-tasks\]"),
    ],
)
def test_missing_package(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, missing: list[str], extra: str
) -> None:
    """A queue whose package is not installed names the extra to install (overview)."""
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"cacheback_app.queues.{name}", raising=False)
    settings.CACHEBACK_TASK_QUEUE = name
    with pytest.raises(ImproperlyConfigured, match=extra):
        get_queue()


def test_nothing_optional_is_imported() -> None:
    """Importing the queues needs no settings and no optional package (overview)."""
    code = (
        "import sys, cacheback_app, cacheback_app.queues, cacheback_app.tasks;"
        "optional = {'rq', 'django_rq', 'django_tasks', 'redis', 'django_redis'};"
        "assert not optional & set(sys.modules), optional & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_queue_of_ones_own(settings: Any) -> None:
    """A queue by dotted path sends JSON, and its worker runs what arrives, once (section 2)."""
    settings.CACHEBACK_TASK_QUEUE = "tests.queues.pigeons.PigeonQueue"
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "old"
    handoff.flush()
    (letter,) = PigeonQueue.letters
    assert PigeonQueue.deliver() == [True]
    assert Tide().get("Emden") == "tide at Emden"
    PigeonQueue.letters.append(letter)
    assert PigeonQueue.deliver() == [False]
    assert Tide.fetched == 1


def test_own_queue_that_fails(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever error a queue raises means that the call was not enqueued (J10)."""
    settings.CACHEBACK_TASK_QUEUE = "tests.queues.pigeons.LostPigeonQueue"
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "tide at Emden"
    assert "no pigeon is left" in caplog.text
    raising = Tide().using(on_dispatch_error="raise")
    make_stale(raising, "Husum")
    with pytest.raises(QueueError, match="no pigeon is left") as exc:
        raising.get("Husum")
    assert isinstance(exc.value.__cause__, OSError)
    assert LostPigeonQueue().name == "lostpigeon"


def test_job_that_no_worker_finds(settings: Any) -> None:
    """A nested job is refreshed in the caller where the queue's workers could not import it, and
    anywhere where it runs in this process (J8)."""

    class Nested(Job):
        def fetch(self) -> str:
            return "new"

    settings.CACHEBACK_TASK_QUEUE = "tests.queues.pigeons.PigeonQueue"
    make_stale(Nested())
    assert Nested().get() == "new"
    make_stale(Nested())
    with pytest.raises(JobNotImportable, match="Nested"):
        Nested().using(on_dispatch_error="raise").get()
    settings.CACHEBACK_TASK_QUEUE = "sync"
    make_stale(Nested())
    assert [Nested().get(), Nested().get()] == ["old", "new"]
    assert PigeonQueue.letters == []


def test_sync_queue_refreshes_in_place(settings: Any) -> None:
    """ "sync" serves the stale value and has renewed it when ``get`` returns (section 2)."""
    settings.CACHEBACK_TASK_QUEUE = "sync"
    make_stale(Tide(), "Emden")
    assert Tide().get("Emden") == "old"
    assert Tide().raw_get("Emden")[1] == "tide at Emden"


def test_sync_queue_keeps_failures_to_itself(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With "sync", as with a worker, a failing refresh is logged and not raised (J7)."""

    class Broken(Job):
        def fetch(self) -> str:
            raise LookupError("the upstream is down")

    settings.CACHEBACK_TASK_QUEUE = "sync"
    make_stale(Broken())
    assert Broken().get() == "old"
    assert "Broken failed in the background: LookupError" in caplog.text
    assert "the upstream is down" in str(Broken().explain().last_error)


def test_a_name_that_is_none(settings: Any) -> None:
    """The error for a misspelt queue names those that there are."""
    settings.CACHEBACK_TASK_QUEUE = "celeri"
    with pytest.raises(ImproperlyConfigured, match="'celeri' is none of celery, rq, django_tasks"):
        get_queue()
