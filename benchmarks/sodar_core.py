"""The original ``sodarcache``, which django-sodar-core has, in an environment of its own.

Ours has the same name, and SODAR Core pins Django and much else. ``make test-sodar`` makes the
environment. What can be asked there is in ``sodar_core_site``, which takes the time itself.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .timing import Block

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(os.environ.get("BENCH_SODAR_PYTHON") or ROOT / ".venv-sodar" / "bin" / "python")

_VERSION = "from importlib.metadata import version; print(version('django-sodar-core'))"


@cache
def version() -> str | None:
    """Return the version of django-sodar-core that can be measured; None where there is none."""
    try:
        done = subprocess.run([PYTHON, "-c", _VERSION], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


class Original:
    """A SODAR Core site in a process of its own.

    :param database: an entry of ``DATABASES``, of an empty PostgreSQL database.
    """

    def __init__(self, database: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [PYTHON, ROOT / "benchmarks" / "sodar_core_site.py", json.dumps(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, function: str, *args: Any) -> Any:
        """Call a function of ``sodar_core_site`` there and return what it returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([function, *args])}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"SODAR Core's site has ended: {self._process.wait()}")
        value, error = json.loads(line)
        if error:
            raise RuntimeError(error)
        return value

    def block(self, function: str, *args: Any) -> Block:
        """Return a block that calls a function there which takes the number of times first."""
        return lambda number: float(self.call(function, number, *args))

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
