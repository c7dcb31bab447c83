"""Calls whose values live a hundred and twentieth of what they usually would: a minute's worth of
expiry, refresh and loss each half second."""

from __future__ import annotations

from cacheback_app import Job

SPEED = 120
"""How many times faster than usual time seems to pass."""


class Page(Job):
    """A page of a site, remembered by the process as well."""

    lifetime = 60 / SPEED
    cache_ttl = 600 / SPEED
    refresh_timeout = 60 / SPEED
    error_backoff = 10 / SPEED
    local_ttl = 10 / SPEED

    def fetch(self, number: int) -> dict[str, object]:
        if number % 100 == 99:
            raise ConnectionError("one page in a hundred cannot be had")
        return {"number": number, "text": "x" * 1000}


class Tagged(Page):
    """With a tag of each kind: one of a few, and one for all."""

    local_ttl = 0

    def tags(self, number: int) -> list[str]:
        return ["all", f"shelf:{number % 20}"]
