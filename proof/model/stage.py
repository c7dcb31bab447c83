"""Where the actors of the model play: they run the public API, each in a coroutine of its own
(a greenlet), and give way at every look at the cache, every fetch's beginning and end, and every
wait. Who goes on is for the scheduler to choose, and time stands still until it chooses otherwise.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from unittest import mock

from django.core.cache import caches
from django.test import override_settings
from greenlet import getcurrent, greenlet

from cacheback_app.engine import flow
from cacheback_app.engine.flights import Flight, Flights, flights
from cacheback_app.engine.near import NearCache, near

if TYPE_CHECKING:
    from .world import World


class Over(BaseException):
    """Unwinds an actor whose play has ended, or whose process was killed."""


class Actor(greenlet):  # type: ignore[misc]
    """One caller of the API.

    ``digest`` stands for all that it has seen. What it does next depends on nothing else, so two
    schedules with equal digests, contents and clocks are the same from there on.
    """

    def __init__(self, name: str, play: Callable[[Actor], None], host: Host) -> None:
        super().__init__(self._run)
        self.gr_context = copy_context()  # in which Django keeps the one cache that all share
        self.name = name
        self.host = host
        self.next = "begin"
        self.digest = hash(name)
        self.has_ended = False
        self.has_slept = False
        self.error: Exception | None = None
        self.is_ready: Callable[[], bool] | None = None
        self.is_alone = False
        self.owned: set[str] = set()
        """The tokens by which it may have claimed."""
        self._play = play

    def learn(self, *facts: object) -> None:
        """Remember that the actor saw something."""
        self.digest = hash((self.digest, *facts))

    def _run(self) -> None:
        try:
            self._play(self)
        except Over:
            pass
        except Exception as exc:
            self.error = exc
        self.has_ended = True


class Host:
    """The memory of one process: its flights and its near cache."""

    def __init__(self) -> None:
        own = Flights.__new__(Flights)  # without the hook for forks, which is never undone
        own.reset()
        self.flights = vars(own)
        self.near = vars(NearCache())

    def enter(self) -> None:
        """Make it the memory of this process."""
        flights.__dict__, near.__dict__ = self.flights, self.near

    def key(self) -> object:
        """Return what tells its state from others."""
        return tuple(
            (key, vars(flight)["name"]) for key, flight in self.flights["_flights"].items()
        )


_world: World | None = None


def world() -> World:
    """Return the play that is on."""
    assert _world is not None, "nothing is played"
    return _world


def playing() -> Actor | None:
    """Return the actor whose turn it is; None while the scheduler looks for itself."""
    current = getcurrent()
    return current if isinstance(current, Actor) else None


def pause(label: str, is_ready: Callable[[], bool] | None = None) -> None:
    """Let the others go on; return when it is this actor's turn again, and ``is_ready()``."""
    actor = playing()
    if actor is None:
        return
    if world().is_over(actor):
        raise Over
    if actor.is_alone:
        return
    actor.next, actor.is_ready = label, is_ready
    assert actor.parent is not None
    actor.parent.switch()
    if world().is_over(actor):
        raise Over
    actor.is_ready = None


@contextmanager
def indivisible() -> Iterator[None]:
    """Let nobody else act within the block once it has begun."""
    pause("cache")
    actor = playing()
    if actor is None:
        yield
        return
    actor.is_alone = True
    try:
        yield
    finally:
        actor.is_alone = False


def saw(key: str, raw: bytes | None) -> None:
    """Tell that whoever's turn it is looked at ``key``."""
    if actor := playing():
        actor.learn(key, raw)


def wrote(key: str, before: bytes | None, after: bytes | None) -> None:
    """Tell that whoever's turn it is changed ``key``."""
    if _world is not None:
        _world.wrote(playing(), key, before, after)


def _sleep(step: flow.Pause) -> None:
    if actor := playing():
        actor.has_slept = True
        writes, until = world().writes, world().now + step.seconds
        # Looking again before anything has changed would bring nothing but longer schedules.
        pause("sleep", lambda: world().writes != writes or world().now >= until)


def _await(step: flow.Await) -> bool:
    if actor := playing():
        actor.has_slept = True
        until = world().now + step.timeout
        pause("wait", lambda: has_landed(step.flight) or world().now >= until)
    return has_landed(step.flight)


def has_landed(flight: Flight) -> bool:
    """Return whether a flight has ended."""
    return flight._landing is not None


class _SteppedFlights(Flights):
    """Flights that others may come between, with names by which states are told apart."""

    def join(self, key: Any) -> tuple[Flight, bool]:
        _pause_if_shared("join")
        flight, is_leader = super().join(key)
        if actor := playing():
            if is_leader:
                vars(flight)["name"] = _token()
            actor.learn(vars(flight)["name"], is_leader)
        else:
            vars(flight).setdefault("name", "scheduler")
        return flight, is_leader

    def leave(self, key: Any, flight: Flight) -> None:
        _pause_if_shared("leave")
        super().leave(key, flight)

    def detach(self, key: Any) -> None:
        _pause_if_shared("detach")
        super().detach(key)


def _pause_if_shared(label: str) -> None:
    if world().scenario.share_process:  # nobody else sees the memory of a process
        pause(label)


def _token(_: int = 8) -> str:
    actor = playing()
    if actor is None:
        return f"scheduler.{world().draw()}"
    token = f"{actor.name}.{len(actor.owned)}"
    actor.owned.add(token)
    return token


@contextmanager
def stage(cache: str) -> Iterator[None]:
    """Set the engine up for plays: this cache, a clock that stands still, tokens that repeat."""
    settings = override_settings(
        CACHES={"default": {"BACKEND": f"proof.model.caches.{cache}", "LOCATION": "model"}},
        CACHEBACK_TASK_QUEUE="proof.model.messages.Messages",
        CACHEBACK_CACHE_ALIAS="default",
    )
    patches: list[AbstractContextManager[Any]] = [
        mock.patch.object(time, "time", lambda: world().now),
        mock.patch.object(time, "monotonic", lambda: world().now),
        mock.patch.object(secrets, "token_hex", _token),
        mock.patch.object(logging.getLogger("cacheback"), "disabled", True),
        mock.patch.object(flow.Pause, "run", _sleep),
        mock.patch.object(flow.Await, "run", _await),
    ]
    own = flights.__dict__, near.__dict__
    with settings, ExitStack() as stack:
        stack.callback(lambda: _restore(*own))
        for patch in patches:
            stack.enter_context(patch)
        flights.__class__ = _SteppedFlights
        yield


def _restore(own_flights: dict[str, Any], own_near: dict[str, Any]) -> None:
    global _world
    flights.__class__ = Flights
    flights.__dict__, near.__dict__ = own_flights, own_near
    _world = None


def begin(play: World) -> None:
    """Clear the stage for another play."""
    global _world
    _world = None
    caches["default"].clear()
    _world = play
