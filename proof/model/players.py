"""The actors: each runs the public API in a coroutine of its own (a greenlet) and asks the world
for all that it shares with others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from greenlet import getcurrent, greenlet

from .trees import CANCEL, Ask, End, Pause, Request, Tree, Waiting
from .world import World

if TYPE_CHECKING:
    from .actors import Role
    from .jobs import Page


T = TypeVar("T")
Names: TypeAlias = tuple[str, ...]
"""The arguments of the calls of one play."""


_LOOKS = {World.look, World.deadline, World.recall, World.tell_time}
"""What is asked for without changing anything."""


class UpstreamDown(Exception):
    """What a fetch raises that is told to fail."""


class _Over(BaseException):
    """Unwinds an actor that is thrown away."""


class Player(greenlet):  # type: ignore[misc]
    """One caller of the API."""

    def __init__(self, role: Role, index: int, job: Page, names: Names, *, shares: bool) -> None:
        super().__init__(self._run)
        self.gr_context = copy_context()  # in which Django keeps the one cache that all share
        self.role = role
        self.index = index
        self.job = job
        self.names = names
        self.shares = shares
        """Whether others play in the same process."""
        self.own: dict[str, Any] = {}
        """What it keeps in the memory of its process, see ``memory``."""
        self.is_alone = False
        self.may_cancel = self.is_cancelled = False
        self._tokens = 0
        self._seen: dict[Request, Any] = {}
        """What it was told since it gave way or changed anything: nobody else has acted."""
        self._is_over = False

    def ask(self, request: Request) -> Any:
        """Hand ``request`` to whoever leads the play, and return the answer."""
        if self._is_over:
            raise _Over
        if request in self._seen:
            return self._seen[request]
        assert self.parent is not None
        answer = self.parent.switch(request)
        if isinstance(request, Ask) and request.do in _LOOKS:
            self._seen[request] = answer
        else:
            self._seen.clear()
        return answer

    def token(self) -> str:
        """Return another text each time, in which its owner can be read."""
        self._tokens += 1
        return f"{self.index}.{self._tokens}"

    def end(self) -> None:
        """Unwind it."""
        self._is_over = True
        if self and not self.dead:
            self.throw(_Over)

    def _run(self, _: object) -> Request:
        try:
            self.role.play(self)
        except (_Over, asyncio.CancelledError, UpstreamDown):
            pass
        except Exception as exc:
            return End(repr(exc))
        return End()


def tree(role: Role, index: int, job: Page, names: Names, *, shares: bool) -> Tree:
    """Return the tree of all that ``role`` may do as the actor of that index."""
    return Tree(lambda: Player(role, index, job, names, shares=shares), Player.end)


_world: World | None = None


@contextmanager
def acting_for(world: World) -> Iterator[None]:
    """Let what is called within the block, by nobody who plays, happen in ``world``."""
    global _world
    before, _world = _world, world
    try:
        yield
    finally:
        _world = before


def is_on() -> bool:
    """Return whether there is a world to ask."""
    return _world is not None or playing() is not None


def playing() -> Player | None:
    """Return the actor whose turn it is; None while the scheduler looks for itself."""
    current = getcurrent()
    return current if isinstance(current, Player) else None


def ask(do: Callable[..., Hashable], *args: Hashable) -> Any:
    """Return what ``do(world, who, *args)`` answers."""
    player = playing()
    if player is not None:
        return player.ask(Ask(do, args))
    assert _world is not None, "nothing is played"
    return do(_world, None, *args)


def pause(label: str, waiting: Waiting | None = None) -> None:
    """Let the others go on; return when it is this actor's turn again.

    :raises asyncio.CancelledError: when the caller is cancelled meanwhile. What it asked of a
        cache is done all the same, see :func:`awaited`.
    """
    player = playing()
    if player is None or player.is_alone:
        return
    if player.ask(Pause(label, waiting, player.may_cancel)) != CANCEL:
        return
    player.is_cancelled = True
    if label != "cache":
        raise asyncio.CancelledError


async def awaited(do: Callable[[], T]) -> T:
    """Return ``do()``, during which an event loop would go on: the caller may be cancelled."""
    player = playing()
    if player is None or player.is_cancelled or not player.role.may_be_cancelled:
        return do()
    player.may_cancel = True
    try:
        result = do()
    finally:
        player.may_cancel = False
    if player.is_cancelled:
        raise asyncio.CancelledError
    return result


@contextmanager
def indivisible() -> Iterator[None]:
    """Let nobody else act within the block once it has begun."""
    pause("cache")
    player = playing()
    if player is None:
        yield
        return
    player.is_alone = True
    try:
        yield
    finally:
        player.is_alone = False
