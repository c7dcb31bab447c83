"""Jobs for the tests of ``cacheback_app.testing``: importable, so that any queue takes them."""

import asyncio
from datetime import date
from typing import Any

from cacheback_app import Job, cacheback

fetched: list[Any] = []
"""The arguments of every fetch, in order."""


class Price(Job):
    """Each fetch gives another value."""

    lifetime = 600
    refresh_timeout = 60

    def fetch(self, name: str = "x") -> str:
        fetched.append(name)
        return f"{name} #{len(fetched)}"


class Broken(Price):
    """Its first fetch succeeds, and no other."""

    def fetch(self, name: str = "x") -> str:
        if fetched:
            raise LookupError("the upstream is down")
        return super().fetch(name)


class AsyncPrice(Job):
    """As :class:`Price`, without blocking."""

    async def fetch(self, name: str = "x") -> str:
        await asyncio.sleep(0)
        fetched.append(name)
        return f"{name} #{len(fetched)}"


@cacheback(lifetime=600)
def report(year: int, *, day: date | None = None, parts: tuple[str, ...] = ()) -> str:
    """Return something made of every argument."""
    fetched.append((year, day, parts))
    return f"{year} {day} {parts}"
