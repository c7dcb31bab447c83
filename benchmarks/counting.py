"""Counting what a Redis server is asked to do."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .servers import RedisServer

# Connecting and counting are not part of the work.
_NO_WORK = {"AUTH", "CLIENT", "COMMAND", "CONFIG", "ECHO", "HELLO", "INFO", "MONITOR", "PING"}
_NO_WORK |= {"SELECT"}


@dataclass
class Count:
    """The commands of one block of code, known when it has ended."""

    sent: int = 0
    """Commands that came from clients; a script is one. (MONITOR)"""
    ran: int = 0
    """Commands that the server ran, scripts and the commands in them alike. (INFO commandstats)"""


@contextmanager
def commands(server: RedisServer) -> Iterator[Count]:
    """Count the commands that ``server`` gets while the block runs."""
    count = Count()
    client = server.client
    with client.monitor() as monitor:
        client.config_resetstat()
        yield count
        stats = client.info("commandstats")
        count.ran = sum(
            stat["calls"] for name, stat in stats.items() if _is_work(name.removeprefix("cmdstat_"))
        )
        end = f"end-{uuid.uuid4()}"
        client.echo(end)
        for line in monitor.listen():
            if end in line["command"]:
                break
            if line["client_type"] != "lua" and _is_work(line["command"].split(" ", 1)[0]):
                count.sent += 1


def _is_work(name: str) -> bool:
    return name.partition("|")[0].upper() not in _NO_WORK
