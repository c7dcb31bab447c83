"""What an actor can play: each is one call of the public API, or one delivery of a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cacheback_app import delete_tags, invalidate_tags
from cacheback_app.queues import RefreshCall

from . import jobs
from .stage import Actor, pause, world
from .world import Value

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True)
class Role:
    """One kind of actor."""

    name: str
    play: Callable[[Actor], None]
    may_begin: Callable[[World], bool] = lambda world: True
    fails: bool = False
    """Whether what it fetches raises."""
    is_mortal: bool = False
    """Whether its process may be killed at any point."""
    is_change: bool = False
    """Whether it may end other people's claims: it is a set, an invalidation or a deletion."""
    is_forced: bool = False
    """Whether it fetches whoever else does."""
    is_tagged: bool = False
    """Whether it takes a job with tags to mean anything."""


def _get(actor: Actor) -> None:
    world().job.get(jobs.NAME)


def _peek(actor: Actor) -> None:
    world().job.using(fetch_on_miss=False).get(jobs.NAME)


def _refresh(actor: Actor) -> None:
    world().count("forced")
    with _disturbing():
        world().job.refresh(jobs.NAME)


def _dispatch(actor: Actor) -> None:
    world().job.async_refresh(jobs.NAME)


def _has_undelivered(world: World) -> bool:
    return world.delivered < len(world.messages)


def _has_delivered(world: World) -> bool:
    return world.delivered > 0


def _deliver(actor: Actor) -> None:
    call = world().messages[world().delivered]
    world().delivered += 1
    _run(call, actor)


def _deliver_again(actor: Actor) -> None:
    _run(world().messages[0], actor)


def _run(call: RefreshCall, actor: Actor) -> None:
    actor.learn(call.claim, call.seen)
    actor.owned.add(call.claim.split(":")[1])
    RefreshCall.from_message(call.message()).run()


@contextmanager
def _disturbing() -> Iterator[None]:
    """Let it be known that other people's claims may end."""
    world().record.disturbing += 1
    yield
    world().record.disturbing -= 1
    world().count("disturbance")


def _changing(act: Callable[[int], None], *, removes: bool = False) -> Callable[[Actor], None]:
    """Return a change as its users make it: the upstream first, then what is cached."""

    def play(actor: Actor) -> None:
        pause("upstream changes")
        record = world().record
        record.upstream += 1
        world().count("change")
        number = record.upstream
        actor.learn(number)
        with _disturbing():
            act(number)
        record.fresh_floor = max(record.fresh_floor, number)
        if removes:
            record.floor = max(record.floor, number)

    return play


def _set(number: int) -> None:
    world().record.sets[number] = None
    world().job.set(jobs.NAME, data=Value("set", number, world().now))
    world().record.sets[number] = world().record.upstream


ROLES = [
    Role("get", _get),
    Role("get that fails", _get, fails=True),
    Role("get that dies", _get, is_mortal=True),
    Role("get without fetch", _peek),
    Role("refresh", _refresh, is_forced=True),
    Role("dispatch", _dispatch),
    Role("worker", _deliver, _has_undelivered),
    Role("worker that fails", _deliver, _has_undelivered, fails=True),
    Role("worker that dies", _deliver, _has_undelivered, is_mortal=True),
    Role("second delivery", _deliver_again, _has_delivered),
    Role("set", _changing(_set, removes=True), is_change=True),
    Role(
        "invalidate",
        _changing(lambda _: world().job.invalidate(jobs.NAME)),
        is_change=True,
    ),
    Role(
        "delete",
        _changing(lambda _: world().job.delete(jobs.NAME), removes=True),
        is_change=True,
    ),
    Role("invalidate tag", _changing(lambda _: invalidate_tags("tag")), is_tagged=True),
    Role("delete tag", _changing(lambda _: delete_tags("tag"), removes=True), is_tagged=True),
]
