"""What type checkers make of endpoints. Read by mypy, not run."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

import httpx

from cacheback_app.records import CachedEndpoint, JSONCache, LastAnswer, RequestMethod, SqliteCache


@dataclass
class Tracker:
    id: int
    name: str


class TrackerEndpoint(CachedEndpoint[Tracker]):
    MODEL = Tracker
    BASE_ENDPOINT = "https://api.example.org/v9/"


endpoint = TrackerEndpoint(SqliteCache("var/api", timedelta(hours=1)), httpx.Client())

assert_type(endpoint.request("me"), list[Tracker] | Tracker | None)
assert_type(endpoint.request("me", raw=True), httpx.Response)
assert_type(endpoint.query(), list[Tracker])
assert_type(endpoint.load_cache(), list[Tracker])
assert_type(endpoint.last_answer, LastAnswer | None)
endpoint.request("me", None, {"name": "x"}, RequestMethod.POST)
endpoint.request("me", None, None, "POST")  # type: ignore[call-overload]
TrackerEndpoint(SqliteCache("var/api", "10 minutes"))
TrackerEndpoint(JSONCache("var/api", None)).cache = JSONCache("var/api", 0.5)
SqliteCache("var/api", object())  # type: ignore[arg-type]
TrackerEndpoint(client=httpx.AsyncClient(), retry_delay="1 second", timeout=timedelta(seconds=3))


async def check() -> None:
    assert_type(await endpoint.arequest("me"), list[Tracker] | Tracker | None)
    assert_type(await endpoint.arequest("me", raw=True), httpx.Response)
    assert_type(await endpoint.aquery(), list[Tracker])
