"""What an actor can play: each is one call of the public API, or one delivery of a message."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cacheback_app import delete_tags, invalidate_tags

from . import messages
from .jobs import X, Y
from .players import Names, Player, ask, pause
from .world import Value, World


@dataclass(frozen=True, eq=False)
class Role:
    """One kind of actor."""

    name: str
    play: Callable[[Player], object]
    may_begin: Callable[[World], bool] = lambda world: True
    fetches: bool = True
    """Whether it fetches what it reads and is missing."""
    fails: bool = False
    """Whether what it fetches raises."""
    is_mortal: bool = False
    """Whether its process may be killed at any point."""
    may_be_cancelled: bool = False
    """Whether it is a coroutine that may be cancelled wherever it awaits."""
    is_change: bool = False
    """Whether it may end other people's claims: it is a set, an invalidation or a deletion."""
    is_forced: bool = False
    """Whether it fetches whoever else does."""
    is_many: bool = False
    """Whether it asks for several keys, and is given their values at once."""
    is_tagged: bool = False
    """Whether it takes a job with tags to mean anything."""


def _peek(player: Player) -> None:
    player.job.using(fetch_on_miss=False).get(X)


def _refresh(player: Player) -> None:
    with _asking():
        player.job.refresh(X)


def _arefresh(player: Player) -> None:
    with _asking():
        _await(player.job.arefresh(X))


@contextmanager
def _asking() -> Iterator[None]:
    ask(World.ask_by_name, X)
    with _disturbing((X,)):
        yield


def _get_twice(player: Player) -> None:
    player.job.get(X)
    pause("again")
    ask(World.begin_again)
    player.job.get(X)


def _get_many(player: Player) -> None:
    player.job.get_many([X, Y])


def _aget_many(player: Player) -> None:
    _await(player.job.aget_many([X, Y]))


def _await(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for what no scheduler knows of")


def _has_undelivered(world: World) -> bool:
    return world.delivered < len(world.messages)


def _has_delivered(world: World) -> bool:
    return world.delivered > 0


def _deliver(player: Player) -> None:
    messages.run(ask(World.deliver))


def _deliver_again(player: Player) -> None:
    messages.run(ask(World.deliver_again))


@contextmanager
def _disturbing(names: Names) -> Iterator[None]:
    """Let it be known that other people's claims may end."""
    ask(World.disturb, names, 1)
    yield
    ask(World.disturb, names, -1)


def _changing(
    act: Callable[[Player, int], object], *, removes: bool = False, has_many: bool = False
) -> Callable[[Player], None]:
    """Return a change as its users make it: the upstream first, then what is cached."""

    def play(player: Player) -> None:
        pause("upstream changes")
        names = player.names if has_many else (X,)
        numbers = ask(World.move_on, names)
        with _disturbing(names):
            act(player, numbers[0])
        ask(World.end_change, names, numbers, removes)

    return play


def _set(player: Player, number: int) -> None:
    began = ask(World.begin_set, X, number)
    player.job.set(X, data=Value(X, "set", number, began))
    ask(World.end_set, X, number)


def _invalidate_tag(player: Player, _: int) -> None:
    invalidate_tags("tag")


def _delete_tag(player: Player, _: int) -> None:
    delete_tags("tag")


ROLES = [
    Role("get", lambda player: player.job.get(X)),
    Role("get that fails", lambda player: player.job.get(X), fails=True),
    Role("get that dies", lambda player: player.job.get(X), is_mortal=True),
    Role("get without fetch", _peek, fetches=False),
    Role("refresh", _refresh, is_forced=True),
    Role("dispatch", lambda player: player.job.async_refresh(X)),
    Role("worker", _deliver, _has_undelivered),
    Role("worker that fails", _deliver, _has_undelivered, fails=True),
    Role("worker that dies", _deliver, _has_undelivered, is_mortal=True),
    Role("second delivery", _deliver_again, _has_delivered),
    Role("set", _changing(_set, removes=True), is_change=True),
    Role("invalidate", _changing(lambda player, _: player.job.invalidate(X)), is_change=True),
    Role(
        "delete",
        _changing(lambda player, _: player.job.delete(X), removes=True),
        is_change=True,
    ),
    Role("invalidate tag", _changing(_invalidate_tag, has_many=True), is_tagged=True),
    Role("delete tag", _changing(_delete_tag, removes=True, has_many=True), is_tagged=True),
]

ASYNC = [
    Role("aget", lambda player: _await(player.job.aget(X))),
    Role("aget, cancelled", lambda player: _await(player.job.aget(X)), may_be_cancelled=True),
    Role("arefresh, cancelled", _arefresh, is_forced=True, may_be_cancelled=True),
]
"""Callers in an event loop."""

MANY = [
    Role("get_many", _get_many, is_many=True),
    Role("get_many in another order", lambda player: player.job.get_many([Y, X]), is_many=True),
    Role("get_many that fails", _get_many, is_many=True, fails=True),
    Role("get_many that dies", _get_many, is_many=True, is_mortal=True),
    Role("aget_many, cancelled", _aget_many, is_many=True, may_be_cancelled=True),
]
"""Readers of two keys at once."""

TWICE = Role("get, and get again", _get_twice)
"""Who is served from memory what was put there before."""

KNOWN = {role.name: role for role in [*ROLES, *ASYNC, *MANY, TWICE]}


def _recovering(name: str) -> Callable[[Player], None]:
    def play(player: Player) -> None:
        player.job.get(name)
        while message := ask(World.deliver):
            messages.run(message)

    return play


READERS = {name: Role(f"reader of {name}", _recovering(name)) for name in (X, Y)}
"""Who comes when all is over."""
