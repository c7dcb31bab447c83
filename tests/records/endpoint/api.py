"""The remote API of these tests, as they see it from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from cacheback_app.records import CachedEndpoint
from tests.services import Process, free_port, wait_until

PATH = "/v9/trackers"


@dataclass
class Tracker:
    """What the API has records of."""

    id: int
    name: str
    start: datetime | None = None
    tags: list[str] = field(default_factory=list)


class Api:
    """A server process, which the tests tell what to answer."""

    def __init__(self, log: Path) -> None:
        import sys

        self.port = free_port()
        self._command = [sys.executable, "-m", "tests.records.endpoint.server", str(self.port)]
        self._log = log
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}")
        self.start()

    @property
    def base(self) -> str:
        """The address below which its collection is."""
        return f"http://127.0.0.1:{self.port}/v9/"

    def start(self) -> None:
        """Start it, with records and log as in the beginning."""
        self._process = Process(self._command, log=self._log)
        self._process.wait_until(self._answers, what="a server that answers")

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()

    def pause(self) -> None:
        """Have it accept connections and say nothing."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    def close(self) -> None:
        """End it for good."""
        self._process.kill()
        self._client.close()

    def reset(self) -> None:
        """Make it as it was when it began."""
        self._client.post("/_reset")

    def will_answer(self, *answers: dict[str, Any], path: str = PATH) -> None:
        """Have the next requests of ``path`` answered so: ``status``, ``headers``, ``body``.

        ``short`` announces that many bytes more than are sent; ``gate`` names what is to be opened
        first.
        """
        self._client.post("/_script", json={"path": path, "answers": answers})

    def open(self, gate: str) -> None:
        """Let the requests go on that wait for ``gate``."""
        self._client.post("/_open", content=gate)

    def has(self, *records: dict[str, Any]) -> None:
        """Replace its records, behind every client's back."""
        self._client.post("/_records", json=records)

    @property
    def log(self) -> list[dict[str, Any]]:
        """The requests that came: ``method``, ``path``, ``headers``, ``body``."""
        found: list[dict[str, Any]] = self._client.get("/_log").json()
        return found

    @property
    def count(self) -> int:
        """The number of requests that came."""
        return len(self.log)

    def wait_for(self, count: int) -> None:
        """Return when that many requests have come."""
        wait_until(lambda: self.count >= count, what=f"{count} requests")

    def _answers(self) -> bool:
        try:
            return self._client.get("/_log").is_success
        except httpx.TransportError:
            return False


def endpoint_class(api: Api, model: Any = Tracker) -> type[CachedEndpoint[Any]]:
    """Return an endpoint class for ``api``."""
    return type("TrackerEndpoint", (CachedEndpoint,), {"MODEL": model, "BASE_ENDPOINT": api.base})
