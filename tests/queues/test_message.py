"""What is sent to Celery's broker."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery, _state, current_app

from cacheback_app.queues import RefreshCall
from tests import services
from tests.addresses import Site

from .conftest import Held
from .jobs import Price, Scaled, fetches, make_stale
from .test_celery import renewed


def sent(held: Held, name: str, **options: Any) -> dict[str, Any]:
    """Return the message of a refresh that no worker gets."""
    job = Price().using(task_options={"queue": "held", **options})
    make_stale(job, name)
    job.get(name)
    return held.take()


def body(message: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of the task."""
    assert message["properties"]["body_encoding"] == "base64"
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert args == []
    return kwargs


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_message_is_json(on_redis: Site, held: Held, name: str, serializer: str) -> None:
    """A message is JSON, also where the site's other tasks are sent as something else (J14)."""
    current_app.conf.task_serializer = serializer
    message = sent(held, name)
    assert message["content-type"] == "application/json"
    assert message["headers"]["task"] == "cacheback_app.tasks.refresh_cache"
    call = RefreshCall.from_message(body(message)["message"])
    assert (call.job, call.key) == ("tests.queues.jobs:Price", Price().key(name))


def test_message_hides_the_arguments(on_redis: Site, held: Held, name: str) -> None:
    """What Celery logs and shows of a message names the job and no arguments (section 7)."""
    headers = sent(held, name)["headers"]
    assert name not in headers["argsrepr"] + headers["kwargsrepr"]
    assert "Price" in headers["kwargsrepr"]


def test_task_expires_with_its_claim(on_redis: Site, held: Held, name: str) -> None:
    """A task expires when the claim that it stands for does (J8)."""
    job = Price().using(refresh_timeout=25, task_options={"queue": "held"})
    make_stale(job, name)
    before = datetime.now(UTC)
    job.get(name)
    expires = datetime.fromisoformat(held.take()["headers"]["expires"])
    assert timedelta(seconds=24.9) < expires - before < timedelta(seconds=27)
    assert abs(expires.timestamp() - job.explain(name).claimed_until) < 1


def test_countdown_prolongs_claim_and_task(on_redis: Site, held: Held, name: str) -> None:
    """A delayed task and its claim last by the delay longer, so that it can still run (J8)."""
    before = datetime.now(UTC)
    headers = sent(held, name, countdown=100)["headers"]
    eta = datetime.fromisoformat(headers["eta"]) - before
    expires = datetime.fromisoformat(headers["expires"]) - before
    assert timedelta(seconds=99) < eta < timedelta(seconds=102)
    assert timedelta(seconds=159) < expires < timedelta(seconds=162)


def test_priority(on_redis: Site, held: Held, empty_redis: Any, name: str) -> None:
    """``priority`` in ``task_options`` reaches Celery (section 2)."""
    job = Price().using(task_options={"queue": "held", "priority": 6})
    make_stale(job, name)
    job.get(name)
    client = empty_redis.client(0)
    keys = services.wait_until(lambda: client.keys("held*"), what="a message")
    message = json.loads(client.lpop(keys[0]))
    client.delete(*keys)
    assert message["properties"]["priority"] == 6


def test_countdown_is_waited_for(on_redis: Site, held: Any, results: Any, name: str) -> None:
    """The worker runs a delayed refresh, though not at once (section 2)."""
    job = Price().using(task_options={"countdown": 0.5}, refresh_timeout=5)
    make_stale(job, name)
    began = datetime.now(UTC)
    assert job.get(name) == "old"
    assert renewed(lambda: job.raw_get(name)) == f"{name} #1"
    assert datetime.now(UTC) - began > timedelta(seconds=0.45)


def test_options_need_not_be_json(on_redis: Site, held: Held, name: str) -> None:
    """``task_options`` are the queue's, and may hold what could not be sent to a worker (J14)."""
    message = sent(held, name, link=None, shadow="refresh", retry_policy={"errback": print})
    assert message["headers"]["shadow"] == "refresh"


def test_expired_task_is_not_run(on_redis: Site, held: Any, results: Any, name: str) -> None:
    """A backlog from before an outage is thrown away, not worked off (J8)."""
    job = Price().using(refresh_timeout=0.2, task_options={"queue": "held"})
    make_stale(job, name)
    job.get(name)
    message = held.take()
    services.wait_until(lambda: job.explain(name).claimed_until is None, what="the claim's end")
    held.deliver(message)
    make_stale(Price(), f"{name} later")
    Price().get(f"{name} later")
    assert renewed(lambda: Price().raw_get(f"{name} later")) == f"{name} later #1"
    assert fetches(name) == 0
    assert len(results.all()) <= 2


def test_app_of_the_calling_thread(on_redis: Site, name: str) -> None:
    """The refresh goes to the broker to which ``delay()`` here would send any task (J2)."""
    default = _state.default_app
    other = Celery("other", broker="memory://", set_as_current=False)
    other.set_default()
    try:
        make_stale(Price(), name)
        assert Price().get(name) == "old"
        assert renewed(lambda: Price().raw_get(name)) == f"{name} #1"
    finally:
        _state.set_default_app(default)
        other.close()


def test_init_args_are_in_the_message(on_redis: Site, held: Held) -> None:
    """What rebuilds the job travels with the call, and ``task_options`` do not (J14)."""
    job = Scaled(2, unit="cm").using(task_options={"queue": "held"}, lifetime=77)
    make_stale(job, 5)
    job.get(5)
    call = RefreshCall.from_message(body(held.take())["message"])
    rebuilt = call.slot().job
    assert isinstance(rebuilt, Scaled)
    assert (rebuilt.factor, rebuilt.unit, rebuilt.lifetime) == (2, "cm", 77)
