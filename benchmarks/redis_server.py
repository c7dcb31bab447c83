"""A Redis server of one's own."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import redis


def is_installed() -> bool:
    """Return whether this machine has a ``redis-server`` to start."""
    return shutil.which("redis-server") is not None


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RedisServer:
    """A private Redis server on a free port, in memory only."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client: Any = redis.Redis.from_url(self.url, socket_timeout=10)
        options = {"bind": "127.0.0.1", "port": port, "dir": folder, "save": "", "appendonly": "no"}
        command = ["redis-server", *(x for k, v in options.items() for x in (f"--{k}", str(v)))]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._await_answer()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self) -> None:
        """End it, with all that it holds."""
        self.client.close()
        self._process.kill()
        self._process.wait()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.01)
