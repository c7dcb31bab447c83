"""What an actor does next, as a function of all that it has been told: an interaction tree.

An actor is code of the engine in a coroutine. All that it has to do with others it asks the world
for (what a key holds, what time it is, that something be stored), and what it asks next depends on
nothing but the answers. So it is a tree, with a request at each node and a branch for each answer
(Xia et al., "Interaction Trees", POPL 2020). A node is learned by running the engine, once, and
walked after that: what another order of the same steps brings is looked up. Guo et al. check
distributed systems that way ("Practical Software Model Checking via Dynamic Interface Reduction",
SOSP 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from greenlet import greenlet

Coroutine: TypeAlias = greenlet
"""Is switched to with an answer, and gives the next request; one that has returned has ended."""


class Ask(NamedTuple):
    """Something that the world answers at once: ``do(world, who, *args)``."""

    do: Callable[..., Hashable]
    args: tuple[Hashable, ...]


class Waiting(NamedTuple):
    """What a pause waits for, and for how many seconds at most."""

    seconds: float
    flight: str | None = None
    """The flight that is to land; None: until anything is written."""


class Pause(NamedTuple):
    """Others may come in here. The scheduler's answer is None, or CANCEL."""

    label: str
    waiting: Waiting | None = None
    may_cancel: bool = False


class End(NamedTuple):
    """The actor has nothing left to do."""

    error: str | None = None
    """What it raised, when that was not expected of it."""
    is_killed: bool = False


CANCEL = "cancel"
"""The answer to a pause whose caller is cancelled there."""

Request: TypeAlias = Ask | Pause | End


class Unrepeatable(Exception):
    """An actor that was told the same asked for something else. So it looks at what it does not
    ask for, and nothing that was found out about it holds."""


class Node:
    """A request, and where each answer leads to."""

    __slots__ = ("answers", "args", "before", "do", "live", "pause", "request", "told", "tree")

    def __init__(self, tree: Tree, request: Request, before: Node | None, told: Hashable) -> None:
        self.tree = tree
        self.request = request
        self.do = request.do if isinstance(request, Ask) else None
        self.args = request.args if isinstance(request, Ask) else ()
        self.pause = request if isinstance(request, Pause) else None
        self.answers: dict[Hashable, Node] = {}
        self.before, self.told = before, told
        self.live: Coroutine | None = None
        """A coroutine that waits for the answer."""


BEGIN = Pause("begin")
MOST_LIVE = 256
"""Coroutines that a tree keeps, so that not every branch has to be played from the beginning."""


class Tree:
    """All that one actor may do.

    :param actor: makes the coroutine, which plays when it is switched to.
    :param end: throws a coroutine away that has not ended.
    """

    def __init__(self, actor: Callable[[], Coroutine], end: Callable[[Coroutine], None]) -> None:
        self._actor, self._end = actor, end
        self._live: dict[Node, None] = {}
        self.root = Node(self, BEGIN, None, None)
        self.size = 1
        """Requests that are known."""

    def learn(self, node: Node, answer: Hashable) -> Node:
        """Run the engine for what it asks when ``answer`` is given at ``node``."""
        coroutine = self._revived(node)
        found: Request = coroutine.switch(answer)
        child = node.answers[answer] = Node(self, found, node, answer)
        self.size += 1
        if not isinstance(found, End):
            child.live = coroutine
            self._live[child] = None
            if len(self._live) > MOST_LIVE:
                self._forget(next(iter(self._live)))
        return child

    def close(self) -> None:
        """End all coroutines."""
        while self._live:
            self._forget(next(iter(self._live)))

    def _forget(self, node: Node) -> None:
        del self._live[node]
        coroutine, node.live = node.live, None
        self._end(coroutine)

    def _revived(self, node: Node) -> Coroutine:
        """Return a coroutine that waits for the answer at ``node``."""
        if node.live is not None:
            del self._live[node]
            coroutine, node.live = node.live, None
            return coroutine
        coroutine = self._actor()
        path: list[Node] = []
        at: Node | None = node
        while at is not None:
            path.append(at)
            at = at.before
        for step in reversed(path[:-1]):
            asked: Any = coroutine.switch(step.told)
            if asked != step.request:
                self._end(coroutine)
                raise Unrepeatable(f"{step.request} before, and now {asked}")
        return coroutine


@lru_cache
def ended(request: Request) -> Node:
    """Return the one node of all actors that have ended so."""
    return Node(Tree(Coroutine, Coroutine.throw), request, None, None)
