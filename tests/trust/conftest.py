"""A message on its way, and the assurance that nothing ran."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cacheback_app import Job
from cacheback_app.queues.handoff import handoff
from tests.queues.pigeons import PigeonQueue

from . import jobs


@pytest.fixture(autouse=True)
def nothing_ran() -> Iterator[list[Any]]:
    """What ran so far; empty for every test."""
    jobs.ran.clear()
    yield jobs.ran
    PigeonQueue.letters.clear()


@pytest.fixture
def sent(settings: Any) -> Callable[..., dict[str, Any]]:
    """Dispatch a refresh and return its message, as a worker would get it."""
    settings.CACHEBACK_TASK_QUEUE = "tests.queues.pigeons.PigeonQueue"

    def dispatch(job: Job | None = None, *args: Any) -> dict[str, Any]:
        job = job or jobs.Honest()
        job.using(lifetime=0).set(*args, data="old")
        assert job.get(*args) == "old"
        assert handoff.flush()
        message: dict[str, Any] = json.loads(PigeonQueue.letters.pop())
        return copy.deepcopy(message)

    return dispatch
