"""What the suites run in: private servers, a SQLite file, Django, and a Celery app."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from celery import Celery

from . import servers
from .servers import Memcached, RedisServer


@dataclass(frozen=True)
class Environment:
    """The services of one run; None stands for what is not installed."""

    cache: RedisServer | None
    broker: RedisServer | None
    memcached: Memcached | None

    @property
    def has_redis(self) -> bool:
        """Whether the suites that need Redis can run."""
        return self.cache is not None

    @property
    def cache_server(self) -> RedisServer:
        """The server behind every Redis alias, of its own so that its commands can be counted."""
        assert self.cache is not None
        return self.cache

    @property
    def broker_server(self) -> RedisServer:
        """Celery's broker."""
        assert self.broker is not None
        return self.broker

    @contextmanager
    def on_one_cpu(self) -> Iterator[None]:
        """Keep this thread and the caches' servers on one CPU, and the broker off it, where
        the system can.

        They run by turns. On several CPUs, each round trip would also wake up one that sleeps,
        which on a virtual machine may take longer than all that is to be compared.
        """
        if not hasattr(os, "sched_setaffinity"):
            yield
            return
        allowed = os.sched_getaffinity(0)
        one = {min(allowed)}
        threads = {thread: one for server in (self.cache, self.memcached) for thread in _of(server)}
        threads |= {0: one, **dict.fromkeys(_of(self.broker), allowed - one or allowed)}
        for thread, cpus in threads.items():
            os.sched_setaffinity(thread, cpus)
        try:
            yield
        finally:
            for thread in threads:
                os.sched_setaffinity(thread, allowed)


def _of(server: RedisServer | Memcached | None) -> list[int]:
    return [] if server is None else server.threads


@contextmanager
def environment() -> Iterator[Environment]:
    """Start what the suites need, for the time of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        os.environ["BENCH_FOLDER"] = str(folder)
        cache = broker = memcached = None
        if servers.has_redis():
            cache, broker = RedisServer(folder), RedisServer(folder)
            stack.callback(cache.stop)
            stack.callback(broker.stop)
            os.environ |= {"BENCH_CACHE_URL": cache.url, "BENCH_BROKER_URL": broker.url}
        if servers.has_memcached():
            memcached = Memcached()
            stack.callback(memcached.stop)
            os.environ["BENCH_MEMCACHED"] = memcached.address
        app = set_up()
        if broker is not None:
            app.connection_for_write().ensure_connection(max_retries=1)
        yield Environment(cache, broker, memcached)


def set_up() -> Celery:
    """Set Django and Celery up in this process, as ``os.environ`` says; return the Celery app."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    app = Celery("benchmarks", set_as_current=True)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.set_default()
    # Both libraries log what goes wrong, as some suites make it go.
    logging.getLogger("cacheback").addHandler(logging.NullHandler())
    logging.getLogger("cacheback").propagate = False
    return app
