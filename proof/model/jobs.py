"""The cached calls of the model. Their upstream is a number that every change moves on."""

from __future__ import annotations

from typing import Any

from cacheback_app import Call, Job

from . import stage

NAME = "x"
"""The one argument that all actors use: calls of different keys have nothing in common."""


class Page(Job):
    """Fetches the upstream's number."""

    lifetime = 100
    refresh_timeout = 60
    wait_timeout = 100
    cache_ttl = 250

    def fetch(self, name: str) -> Any:
        return stage.world().fetch()

    def process_result(
        self, result: Any, call: Call, cache_status: int, sync_fetch: bool | None = None
    ) -> Any:
        stage.world().answered(result, cache_status)
        return result


class TaggedPage(Page):
    """As :class:`Page`, with a tag."""

    def tags(self, name: str) -> list[str]:
        return ["tag"]
