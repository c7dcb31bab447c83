"""What happened, written down by every process: one line of JSON an event, in a file of its own.

Times are ``time.monotonic()``, which all processes of a machine share and no clock setting moves.
A line is written with one call, so that a process which is killed leaves whole lines behind.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "PROOF_JOURNAL"
"""The environment variable that names the folder."""


class Journal:
    """This process's part of the journal."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._pid = os.getpid()

    def write(self, what: str, **facts: Any) -> None:
        """Write one event down, with the time and the process."""
        event = {"what": what, "at": time.monotonic(), "pid": self._pid, **facts}
        os.write(self._file, f"{json.dumps(event)}\n".encode())


_journal: Journal | None = None


def write(what: str, **facts: Any) -> None:
    """Write one event in the journal of this process."""
    global _journal
    if _journal is None or _journal._pid != os.getpid():
        _journal = Journal(Path(os.environ[FOLDER]))
    _journal.write(what, **facts)


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Return the events of all processes, in the order in which they happened."""
    lines = (line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines())
    return iter(sorted(map(json.loads, lines), key=lambda event: event["at"]))
