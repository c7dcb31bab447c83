"""Jobs of a made-up shop, for commands and for other processes."""

import os
import signal
import time
from dataclasses import replace
from datetime import date
from typing import Any

from django.test.utils import setup_test_environment, teardown_test_environment

from cacheback_app import Job, cacheback, stats
from cacheback_app.engine.flow import drive
from cacheback_app.engine.slot import Slot
from cacheback_app.engine.state import state_for

HERE = "tests.operations.shop"


class Report(Job):
    """Sales of a year."""

    def fetch(self, year: str, quarter: int = 1, deep: bool = False) -> Any:
        return [year, quarter, deep]

    def calls_to_warm(self) -> Any:
        return [("2025", quarter) for quarter in (1, 2, 3, 4)]


class Broken(Job):
    """Never works."""

    def fetch(self, secret: str) -> Any:
        raise ValueError(f"no {secret}")


class ByDay(Job):
    """Takes what JSON has no form for."""

    def fetch(self, day: date) -> Any:
        return day.isoformat()


class Branch(Job):
    """One job per shop."""

    def __init__(self, town: str) -> None:
        self.town = town

    def get_init_kwargs(self) -> dict[str, Any]:
        return {"town": self.town}

    def fetch(self, name: str) -> Any:
        return f"{name} in {self.town}"


@cacheback(tags=["prices"])
def price(article: str, currency: str = "EUR") -> str:
    """Look a price up."""
    return f"{article} in {currency}"


def mark_stale(job: Job, *args: Any) -> None:
    """Let what is cached for a call be stale, ten seconds old, and unclaimed."""
    slot: Slot = job._slot_for(args, {})
    entry = drive(slot.read())
    assert entry is not None
    old = replace(entry, fetched_at=time.time() - 10, fresh_until=time.time() - 1)
    state_for(slot.alias).cache.set(slot.key, old.pack())


# In other processes


def read_and_share(times: int) -> int:
    """Miss once at most, hit otherwise, and share."""
    for _ in range(times):
        Report().get("2025")
    stats.flush()
    return os.getpid()


def read_and_exit_soon(times: int) -> int:
    """Read and leave the sharing to the end of the process."""
    for _ in range(times):
        Report().get("2025")
    return os.getpid()


def read_in_a_test_run(times: int) -> int:
    """Read as Django's test runner has it done, in a site's environment; then end."""
    setup_test_environment()
    for _ in range(times):
        Report().get("2025")
    teardown_test_environment()
    return os.getpid()


def read_share_read_and_die(times: int) -> None:
    """Read and share; read again, and be killed before that is shared."""
    read_and_share(times)
    for _ in range(times):
        Report().get("2025")
    os.kill(os.getpid(), signal.SIGKILL)


def share_again_and_again(index: int, rounds: int) -> None:
    """Contend with others for the same entries."""
    for _ in range(rounds):
        read_and_share(1)


def read_in_a_forked_child(times: int) -> dict[str, int]:
    """Read here, fork, read there; both share at their end."""
    for _ in range(times):
        Report().get("2025")
    child = os.fork()
    if child == 0:
        for _ in range(times):
            Report().get("2025")
        own = stats.of_this_process()[f"{HERE}.Report"]
        stats.flush()
        os._exit(0 if own.reads == times else 1)
    _, status = os.waitpid(child, 0)
    stats.flush()
    return {"child": os.waitstatus_to_exitcode(status)}
