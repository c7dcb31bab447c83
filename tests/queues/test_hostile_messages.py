"""Messages that strangers put into the broker of a real Celery worker."""

import base64
import json
import pickle
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.queues import RefreshCall
from tests.addresses import Site

from .conftest import Held, Results
from .jobs import Price, fetches, make_stale
from .test_message import body


class Touch:
    """Whoever unpickles it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.call, (["touch", str(self.path)],)


@pytest.fixture
def honest(on_redis: Site, held: Held, name: str) -> dict[str, Any]:
    """A message of this site's own, which no worker has yet."""
    job = Price().using(task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    return held.take()


def changed(honest: dict[str, Any], message: Any) -> dict[str, Any]:
    """Return ``honest`` with another refresh in it."""
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    text = json.dumps([[], {"message": message}, embed])
    return {**honest, "body": base64.b64encode(text.encode()).decode()}


CHANGES: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "os.system": lambda it, file: {**it, "job": "os:system"},
    "another job": lambda it, file: {**it, "job": "tests.queues.jobs:Echo"},
    "a plain function": lambda it, file: {**it, "job": "tests.queues.jobs:plain"},
    "another key": lambda it, file: {**it, "key": "session:1"},
    "another claim": lambda it, file: {**it, "claim": "p:0:1"},
    "unsigned": lambda it, file: {k: v for k, v in it.items() if k != "signature"},
    "an argument": lambda it, file: {
        **it,
        "payload": {
            **it["payload"],
            "args": {"t": "dataclass", "v": ["subprocess:Popen", ["args", f"touch {file}"]]},
        },
    },
    "nesting": lambda it, file: {**it, "payload": json.loads("[" * 500 + "]" * 500)},
    "text": lambda it, file: f"touch {file}",
    "nothing": lambda it, file: None,
    "a kombu object": lambda it, file: {
        **it,
        "sent_at": {"__type__": "datetime", "__value__": "2026-01-01T00:00:00"},
    },
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_message(
    honest: dict[str, Any], held: Held, results: Results, tmp_path: Path, name: str, what: str
) -> None:
    """A message that was changed fails as malformed, runs nothing, and harms no later one (J15)."""
    file = tmp_path / "touched"
    message = CHANGES[what](body(honest)["message"], file)
    found = results.wait(held.deliver(changed(honest, message)))
    assert found["status"] == "FAILURE"
    assert found["result"]["exc_type"] == "MalformedCall"
    assert fetches(name) == 0
    assert not file.exists()
    assert results.wait(held.deliver(honest))["result"] is True
    assert fetches(name) == 1


def test_pickle_and_other_bodies(
    honest: dict[str, Any], held: Held, results: Results, tmp_path: Path
) -> None:
    """A pickle, or a body that is no JSON, is dropped unread, and the worker goes on (J14, J15)."""
    file = tmp_path / "touched"
    bodies = [
        ("application/x-python-serialize", pickle.dumps(([], {"message": Touch(file)}, {}))),
        ("application/json", b"\xff\x00"),
    ]
    for content_type, content in bodies:
        held.deliver(
            {
                **honest,
                "content-type": content_type,
                "body": base64.b64encode(content).decode(),
            }
        )
    assert results.wait(held.deliver(honest))["result"] is True
    assert not file.exists()


def test_replayed_message(honest: dict[str, Any], held: Held, results: Results, name: str) -> None:
    """A recorded message cannot be used to hammer the upstream (J15, J9)."""
    ids = [held.deliver(honest) for _ in range(10)]
    assert [results.wait(task_id)["result"] for task_id in ids] == [True] + [False] * 9
    assert fetches(name) == 1


def test_replayed_as_a_retry(
    honest: dict[str, Any], held: Held, results: Results, name: str
) -> None:
    """Nor when it claims to be a retry: the value is fresh (J15, J9)."""
    assert results.wait(held.deliver(honest))["result"] is True
    again = {**honest, "headers": {**honest["headers"], "retries": 1}}
    assert results.wait(held.deliver(again))["result"] is False
    assert fetches(name) == 1


def test_arguments_are_not_logged(
    honest: dict[str, Any], held: Held, results: Results, folder: Path, name: str
) -> None:
    """Neither a refresh nor a refused message puts arguments into the worker's log (section 7)."""
    assert results.wait(held.deliver(honest))["result"] is True
    secret = uuid.uuid4().hex
    message = {**body(honest)["message"], "job": secret}
    assert results.wait(held.deliver(changed(honest, message)))["status"] == "FAILURE"
    log = "".join(path.read_text() for path in folder.glob("celery-*.log"))
    assert "cacheback_app.tasks.refresh_cache" in log
    lines = [line for line in log.splitlines() if "DEBUG" not in line]
    assert not [line for line in lines if secret in line]
    assert RefreshCall.from_message(body(honest)["message"]).payload["args"]["v"] == [name]
    assert not [line for line in lines if name in line]
