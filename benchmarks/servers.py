"""Servers of one's own, on free ports and in memory only."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import redis

_PATIENCE = 10.0
"""Seconds that a server has to begin to answer."""


def has_redis() -> bool:
    """Return whether this machine has a ``redis-server`` to start."""
    return shutil.which("redis-server") is not None


def has_memcached() -> bool:
    """Return whether this machine has a ``memcached`` to start."""
    return shutil.which("memcached") is not None


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class _Server:
    """A process that answers on a port, until it is stopped."""

    def __init__(self, command: list[str], port: int) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + _PATIENCE
        while not _answers(port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"{command[0]} does not answer on port {port}")
            time.sleep(0.01)

    @property
    def threads(self) -> list[int]:
        """What the system calls its threads, the first of which has the process's own id."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        return sorted(int(task.name) for task in tasks.iterdir())

    def stop(self) -> None:
        """End it, with all that it holds."""
        self._process.kill()
        self._process.wait()


class RedisServer(_Server):
    """A private Redis server."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        options = {"bind": "127.0.0.1", "port": port, "dir": folder, "save": "", "appendonly": "no"}
        options["enable-debug-command"] = "local"  # DEBUG POPULATE makes a million keys in a second
        command = ["redis-server", *(x for k, v in options.items() for x in (f"--{k}", str(v)))]
        super().__init__(command, port)
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client: Any = redis.Redis.from_url(self.url, socket_timeout=10)

    def stop(self) -> None:
        """End it, with all that it holds."""
        super().stop()
        if hasattr(self, "client"):
            self.client.close()


class Memcached(_Server):
    """A private memcached."""

    def __init__(self) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        super().__init__(["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port)], port)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
