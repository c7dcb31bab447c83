"""Sets the engine up for plays: a cache that asks the world, a clock that stands still until the
scheduler chooses otherwise, tokens that repeat, and memory that those who share it can see."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest import mock

from django.test import override_settings

from cacheback_app.engine import flights as flights_module
from cacheback_app.engine import flow
from cacheback_app.engine.flights import Flights, flights
from cacheback_app.engine.near import NearCache, near

from .memory import SharedFlight, SteppedFlights, SteppedNear, has_landed, make_flight
from .players import ask, awaited, is_on, pause, playing
from .trees import Waiting
from .world import World


@contextmanager
def stage(cache: str) -> Iterator[None]:
    """Set the engine up for plays on the cache of that name."""
    settings = override_settings(
        CACHES={"default": {"BACKEND": f"proof.model.caches.{cache}", "LOCATION": "model"}},
        CACHEBACK_TASK_QUEUE="proof.model.messages.Messages",
        CACHEBACK_CACHE_ALIAS="default",
        CACHEBACK_STATS=False,  # its thread lives by another clock
    )
    patches: list[AbstractContextManager[Any]] = [
        *(
            mock.patch.object(time, name, _told(getattr(time, name)))
            for name in ("time", "monotonic", "perf_counter")
        ),
        mock.patch.object(secrets, "token_hex", _token),
        mock.patch.object(logging.getLogger("cacheback"), "disabled", True),
        mock.patch.object(flow.Pause, "run", _sleep),
        mock.patch.object(flow.Await, "run", _await),
        mock.patch.object(flow.Io, "arun", _as_sync),
        mock.patch.object(flow.Pause, "arun", _as_sync),
        mock.patch.object(flow.Await, "arun", _as_sync),
        mock.patch.object(flow.Fetch, "arun", _as_sync),
        mock.patch.object(flow.All, "arun", _one_by_one),
        mock.patch.object(flights_module, "Flight", make_flight),
    ]
    with settings, ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        flights.__class__, near.__class__ = SteppedFlights, SteppedNear
        try:
            yield
        finally:
            flights.__class__, near.__class__ = Flights, NearCache


def _told(own: Callable[[], float]) -> Callable[[], float]:
    """Return a clock that tells the world's time to whoever is in one."""
    return lambda: ask(World.tell_time) if is_on() else own()


def _token(_: int = 8) -> str:
    player = playing()
    return player.token() if player else str(ask(World.draw))


def _sleep(step: flow.Pause) -> None:
    # Looking again before anything has changed would bring nothing but longer schedules.
    pause("sleep", Waiting(step.seconds))


def _await(step: flow.Await) -> bool:
    if playing() and not has_landed(step.flight):
        assert isinstance(step.flight, SharedFlight)
        pause("wait", Waiting(step.timeout, step.flight.name))
    return has_landed(step.flight)


async def _as_sync(step: flow.Step) -> Any:
    return await awaited(step.run)


async def _one_by_one(step: flow.All) -> list[Any]:
    return [await flow.adrive(each) for each in step.flows]
