"""The cached calls of the model. Their upstream is a number that every change moves on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cacheback_app import Call, Job

from .players import UpstreamDown, ask, pause, playing
from .world import Value, World

X, Y = "x", "y"
"""The arguments of the calls. Most scenarios have one: calls of different keys share nothing but
tags, the queue, and who asks for both at once."""


class Page(Job):
    """Fetches the upstream's number."""

    lifetime = 100
    refresh_timeout = 60
    wait_timeout = 100
    cache_ttl = 250

    def fetch(self, name: str) -> Any:
        return upstream((name,))[0]

    def process_result(
        self, result: Any, call: Call, cache_status: int, sync_fetch: bool | None = None
    ) -> Any:
        ask(World.answer, call.args[0], result, cache_status)
        return result


class Bulk(Page):
    """As :class:`Page`, and fetches what is missing in one call."""

    def fetch_many(self, calls: Sequence[Call]) -> Sequence[Any]:
        return upstream(tuple(call.args[0] for call in calls))


class Near(Page):
    """As :class:`Page`, and is served from the memory of a process as well.

    A value lives longer in the cache than in that memory, unless it is old already.
    """

    lifetime = 300
    cache_ttl = 330
    local_ttl = 80


class Tagged(Page):
    """As :class:`Page`, with a tag, as all that follow."""

    def tags(self, name: str) -> list[str]:
        return ["tag"]


class TaggedBulk(Tagged, Bulk):
    """See Bulk."""


class TaggedNear(Tagged, Near):
    """See Near."""


TAGGED: dict[type[Page], type[Page]] = {Page: Tagged, Bulk: TaggedBulk, Near: TaggedNear}


def upstream(names: tuple[str, ...]) -> Sequence[Value]:
    """Be the upstream of a fetch: begin, let others act, and end."""
    pause("fetch begins")
    values: Sequence[Value] = ask(World.begin_fetch, names)
    player = playing()
    if player is None:
        return values
    try:
        pause("fetch ends")
    except asyncio.CancelledError:
        ask(World.end_fetch, names, False)
        raise
    ask(World.end_fetch, names, player.role.fails)
    if player.role.fails:
        raise UpstreamDown
    return values
