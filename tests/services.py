"""Real services and real processes, each started, stopped, frozen and killed by the tests."""

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.addresses import MARIADB_URL, POSTGRES_URL, Site

ROOT = Path(__file__).resolve().parent.parent


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it when ``REQUIRE_SERVICES=1`` says that nothing may be absent."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (and REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(reason)


def wait_until(is_done: Callable[[], Any], timeout: float = 10.0, *, what: str = "") -> Any:
    """Return the first true answer of ``is_done``; fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := is_done():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what or is_done}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Process:
    """A process in a group of its own, with its output in a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        pipes: bool = False,
    ) -> None:
        self.command = list(command)
        self.log_path = log
        pipe = subprocess.PIPE if pipes else None
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs (or is paused)."""
        return self._popen.poll() is None

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, timeout: float = 20.0) -> str:
        """Return the log as soon as ``text`` is in it; fail when it ends or stays silent."""
        self.wait_until(lambda: text in self.log, timeout, what=f"{text!r} in the log")
        return self.log

    def wait_until(self, is_done: Callable[[], Any], timeout: float = 20.0, *, what: str) -> Any:
        """As ``wait_until``; also fail, with the log, as soon as the process has ended."""

        def is_done_or_dead() -> Any:
            answer = is_done()
            if not answer and not self.is_alive:
                raise AssertionError(f"it ended with code {self._popen.returncode}")
            return answer

        try:
            return wait_until(is_done_or_dead, timeout, what=what)
        except AssertionError as exc:
            raise AssertionError(f"{self.command}: {exc}\n{self.log}") from exc

    def pause(self) -> None:
        """Freeze it: whoever is connected waits."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its children without a chance to say goodbye."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask it to end; kill what is left of its group after ``timeout`` seconds."""
        if self.is_alive:
            self.resume()
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        self.kill()

    def _signal(self, number: int) -> None:
        # The group outlives its leader when that has left children behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _reap(self) -> None:
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class RedisServer:
    """A private Redis server on a free port, in memory only."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: Process | None = None
        self._clients: list[Any] = []

    def url(self, db: int = 0) -> str:
        """Return the address of one of its databases; it stays the same over restarts."""
        return f"redis://127.0.0.1:{self.port}/{db}"

    def client(self, db: int = 0) -> Any:
        """Return a redis-py client that waits at most 5 s for an answer."""
        import redis

        client = redis.Redis.from_url(self.url(db), socket_timeout=5)
        self._clients.append(client)
        return client

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = {"bind": "127.0.0.1", "port": self.port, "dir": self._folder}
        options |= {"save": "", "appendonly": "no", "maxclients": 1000}
        command = [_redis_binary()]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        self._process = Process(command, log=self._folder / "redis.log")
        self._process.wait_until(self._answers, what="an answer")

    def stop(self) -> None:
        """Kill it, with all that it holds."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """Freeze it: it accepts connections and answers nobody."""
        self._running.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._running.resume()

    def flush(self) -> None:
        """Empty all databases."""
        self.client().flushall()

    @contextlib.contextmanager
    def count_commands(self) -> Iterator[Counter[str]]:
        """Count the commands that reach it within the block, those of scripts included."""
        counted: Counter[str] = Counter()
        client = self.client()
        client.config_resetstat()
        yield counted
        for name, stats in client.info("commandstats").items():
            counted[name.removeprefix("cmdstat_")] += stats["calls"]
        for own in ("config|resetstat", "config", "info"):
            counted.pop(own, None)

    @contextlib.contextmanager
    def count_round_trips(self) -> Iterator[Counter[str]]:
        """Count the commands that clients send within the block, those of scripts not included.

        A pipeline counts as its commands; connecting (HELLO, SELECT, CLIENT) does not count.
        """
        counted: Counter[str] = Counter()
        end = f"end-{uuid.uuid4()}"
        with self.client().monitor() as monitor:
            client = self.client()
            client.ping()
            yield counted
            client.echo(end)
            for line in monitor.listen():
                name = line["command"].split(" ", 1)[0].upper()
                if end in line["command"]:
                    return
                if line["client_type"] != "lua" and name not in _NO_WORK:
                    counted[name] += 1

    @property
    def _running(self) -> Process:
        assert self._process is not None, "the server is stopped"
        return self._process

    def _answers(self) -> bool:
        import redis

        client = redis.Redis.from_url(self.url(), socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


_NO_WORK = {"CLIENT", "HELLO", "PING", "SELECT", "AUTH", "MONITOR", "COMMAND"}


def _redis_binary() -> str:
    return shutil.which("redis-server") or unavailable("redis-server is not installed")


class Call(Process):
    """A Python function that runs in another process: see ``tests.process``."""

    def __init__(self, target: str, args: Sequence[Any], site: Site, log: Path) -> None:
        command = [sys.executable, "-m", "tests.process", target, json.dumps(list(args))]
        super().__init__(command, env=process_env(site), log=log, pipes=True)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_until_ready(self, timeout: float = 30.0) -> None:
        """Wait until Django is set up and the function imported."""
        self._line(timeout)

    def begin(self) -> None:
        """Let the function run; ``wait_until_ready`` comes first."""
        assert self._popen.stdin is not None
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()

    def result(self, timeout: float = 60.0) -> Any:
        """Return what the function returned; fail with the traceback when it raised."""
        outcome = json.loads(self._line(timeout))
        self._popen.wait(10)
        self._reap()
        if "error" in outcome:
            raise AssertionError(f"{self.command} raised\n{outcome['error']}")
        return outcome["value"]

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with contextlib.suppress(ValueError):  # closed by _reap
            for line in self._popen.stdout:
                self._lines.put(line)
        self._lines.put("")

    def _line(self, timeout: float) -> str:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            line = ""
        if not line:
            state = "is silent" if self.is_alive else "has ended"
            raise AssertionError(f"{self.command} {state}\n{self.log}")
        return line


class Processes:
    """Starts what a test needs beside itself, and ends it after the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []

    def close(self) -> None:
        """End all that still runs, at once."""
        for process in reversed(self._started):
            process.kill()

    def celery_worker(
        self,
        site: Site,
        *,
        pool: str = "solo",
        concurrency: int = 1,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start ``celery worker`` and wait until it takes tasks."""
        ready = self._folder / f"ready-{uuid.uuid4().hex}"
        command = [sys.executable, "-m", "celery", "-A", "tests.celery_app", "worker"]
        command += ["--loglevel=INFO", f"--pool={pool}", f"--concurrency={concurrency}"]
        command += ["--without-gossip", "--without-mingle", f"--hostname={ready.name}@%h"]
        worker = self._start(
            "celery", [*command, *options], site, {"WORKER_READY_FILE": str(ready), **(env or {})}
        )
        worker.wait_until(ready.exists, 30.0, what="a worker that is ready")
        return worker

    def rq_worker(self, site: Site, *, options: Sequence[str] = ()) -> Process:
        """Start ``manage.py rqworker`` and wait until it takes jobs."""
        worker = self.manage_in_background(site, "rqworker", "default", *options)
        worker.wait_for_log("Listening on", 30.0)
        return worker

    def django_tasks_worker(self, site: Site, *, options: Sequence[str] = ()) -> Process:
        """Start ``manage.py db_worker`` on ``site.database`` and wait until it takes tasks."""
        command = ["db_worker", "--interval=0.05", "--no-startup-delay", "--no-reload"]
        worker = self.manage_in_background(site, *command, *options)
        worker.wait_for_log("Starting worker", 30.0)
        return worker

    def manage_in_background(self, site: Site, *command: str) -> Process:
        """Start a management command."""
        return self._start(command[0], [sys.executable, "manage.py", *command], site)

    def manage(self, site: Site, *command: str, timeout: float = 60.0) -> str:
        """Run a management command to its end; return its output."""
        process = self.manage_in_background(site, *command)
        code = process._popen.wait(timeout)
        assert code == 0, f"{command} ended with code {code}\n{process.log}"
        return process.log

    def start(self, site: Site, target: Callable[..., Any] | str, *args: Any) -> Call:
        """Have ``target(*args)`` run in another process; return the running call.

        ``target`` is a function of a module (or ``"module:function"``); its arguments and what it
        returns are JSON.
        """
        call = self._prepare(site, target, args)
        call.wait_until_ready()
        call.begin()
        return call

    def run(
        self,
        site: Site,
        count: int,
        target: Callable[..., Any] | str,
        *args: Any,
        timeout: float = 60.0,
    ) -> list[Any]:
        """Run ``target(index, *args)`` in ``count`` processes at once; return all results."""
        calls = [self._prepare(site, target, (index, *args)) for index in range(count)]
        for call in calls:
            call.wait_until_ready()
        for call in calls:
            call.begin()
        return [call.result(timeout) for call in calls]

    def _prepare(self, site: Site, target: Callable[..., Any] | str, args: Sequence[Any]) -> Call:
        name = target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
        call = Call(name, args, site, self._log("call"))
        self._started.append(call)
        return call

    def _start(
        self,
        name: str,
        command: Sequence[str],
        site: Site,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        process = Process(command, env={**process_env(site), **(env or {})}, log=self._log(name))
        self._started.append(process)
        return process

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}-{uuid.uuid4().hex}.log"


def process_env(site: Site) -> dict[str, str]:
    """Return the environment of a process of ``site``."""
    return {"DJANGO_SETTINGS_MODULE": "tests.worker_settings", **site.environment()}


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a private Redis server."""
    with tempfile.TemporaryDirectory(prefix="cacheback-redis-") as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def flush_redis(url: str) -> None:
    """Empty one database of the Redis server at ``url``."""
    import redis

    client = redis.Redis.from_url(url, socket_timeout=5)
    try:
        client.flushdb()
    except redis.RedisError as exc:
        unavailable(f"no Redis at {_shown(url)}: {exc}")
    finally:
        client.close()


def check_rabbitmq(url: str) -> None:
    """Skip or fail unless RabbitMQ answers."""
    import kombu

    with kombu.Connection(url, connect_timeout=3) as connection:
        try:
            connection.connect()
        except connection.connection_errors + connection.channel_errors as exc:
            unavailable(f"no RabbitMQ at {_shown(url)}: {exc}")


@contextlib.contextmanager
def rabbitmq_queue(url: str) -> Iterator[str]:
    """Give a name for a queue and exchange, and delete both."""
    import kombu

    name = f"cacheback-test-{uuid.uuid4().hex[:12]}"
    yield name
    with kombu.Connection(url, connect_timeout=3) as connection:
        channel: Any = connection.channel()
        channel.queue_delete(name)
        channel.exchange_delete(name)


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run moto's server, which plays DynamoDB and STS; give its address."""
    if find_spec("moto") is None:
        unavailable("moto[server] is not installed")
    port = free_port()
    # By its function, as "moto_server" may not be on the PATH.
    start = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    with _http_server([sys.executable, "-c", start], port) as url:
        yield url


@contextlib.contextmanager
def dynalite_server() -> Iterator[str]:
    """Run dynalite, which plays DynamoDB; give its address."""
    program = shutil.which("dynalite") or unavailable("dynalite is not installed")
    port = free_port()
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"]
    with _http_server(command, port) as url:
        yield url


@contextlib.contextmanager
def _http_server(command: Sequence[str], port: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cacheback-http-") as folder:
        server = Process(command, log=Path(folder) / "server.log")
        try:
            server.wait_until(lambda: _listens(port), 60.0, what="a server that listens")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """Create an empty database; give its address."""
    import psycopg

    name = f"cacheback_test_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as exc:
        unavailable(f"no PostgreSQL at {_shown(POSTGRES_URL)}: {exc}")
    with contextlib.closing(server):
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield _with_path(POSTGRES_URL, name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def mariadb_database() -> Iterator[str]:
    """Create an empty database; give its address."""
    import pymysql

    name = f"cacheback_test_{uuid.uuid4().hex[:12]}"
    parts = urlsplit(MARIADB_URL)
    try:
        server = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            connect_timeout=3,
        )
    except pymysql.err.OperationalError as exc:
        unavailable(f"no MariaDB at {_shown(MARIADB_URL)}: {exc}")
    with contextlib.closing(server), server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield _with_path(MARIADB_URL, name)
        finally:
            cursor.execute(f"DROP DATABASE {name}")


def check_memcached(address: str) -> None:
    """Skip or fail unless memcached answers."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
    except OSError as exc:
        unavailable(f"no memcached at {address}: {exc}")


def _with_path(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _shown(url: str) -> str:
    """Return ``url`` without a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or ''}{parts.path}"
