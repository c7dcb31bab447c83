"""What the tests of jobs run in other processes."""

import os
import signal
import time
from typing import Any

from django.core.cache import caches

from cacheback_app import Job
from tests.jobs.support import in_threads


def redis() -> Any:
    """Return a client of the server that all processes share."""
    from cacheback_app.engine.state import state_for

    return state_for("default").client  # type: ignore[attr-defined]


class Slow(Job):
    """A fetch of a quarter of a second, counted over all processes."""

    lifetime = 600
    refresh_timeout = 20

    def fetch(self, name: str) -> Any:
        client = redis()
        number = client.incr(f"fetches:{name}")
        running = client.incr(f"running:{name}")
        client.set(f"most:{name}", max(running, int(client.get(f"most:{name}") or 0)))
        time.sleep(0.25)
        client.decr(f"running:{name}")
        return {"number": number}


class Failing(Slow):
    """As :class:`Slow`, but it fails."""

    def fetch(self, name: str) -> Any:
        raise LookupError(str(super().fetch(name)["number"]))


class Killed(Slow):
    """Kills its own process when it is fetched for the first time."""

    refresh_timeout = 1
    wait_timeout = 15

    def fetch(self, name: str) -> Any:
        if redis().incr(f"fetches:{name}") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"


def get_in_threads(index: int, job: str, name: str, threads: int) -> list[Any]:
    """Return what each of some threads gets, an exception as its text."""
    results = in_threads(threads, lambda _: globals()[job]().get(name), timeout=60)
    return [repr(r) if isinstance(r, BaseException) else r for r in results]


def read_stale(index: int, name: str, threads: int) -> dict[str, Any]:
    """Return what some threads get of a stale value, and how many refreshes were dispatched."""
    from tests.jobs.support import captured

    in_threads(threads, lambda _: Slow().get(name))
    return {"sent": len(captured().sent), "raw": repr(caches["default"].get(Slow().key(name)))}


def get_and_die(name: str) -> None:
    """Fetch what kills this process."""
    Killed().get(name)
