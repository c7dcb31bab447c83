"""Jobs that workers in other processes run, and tell the site's Redis what they did."""

import asyncio
import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings

from cacheback_app import Job, cacheback
from cacheback_app.jobs import FunctionJob, QuerySetFilterJob


@contextmanager
def journal() -> Iterator[redis.Redis]:
    """Give the Redis database of the default cache; what is written here has no key prefix."""
    client = redis.Redis.from_url(settings.CACHES["default"]["LOCATION"], decode_responses=True)
    try:
        yield client
    finally:
        client.close()


def count(name: str) -> int:
    """Count one fetch of ``name``; return how many that makes."""
    with journal() as client:
        return client.incr(f"fetches:{name}")


def fetches(name: str) -> int:
    """Return how often ``name`` was fetched, in all processes."""
    with journal() as client:
        return int(client.get(f"fetches:{name}") or 0)


class Price(Job):
    """Each fetch gives another value."""

    def fetch(self, name: str) -> str:
        return f"{name} #{count(name)}"


class Echo(Job):
    """Gives back what arrived."""

    def fetch(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value, args, kwargs


class Gated(Job):
    """Tells that its fetch began, and waits there until it is let through."""

    refresh_timeout = 1

    def fetch(self, name: str) -> str:
        with journal() as client:
            number = count(name)
            client.rpush(f"began:{name}", number)
            if number == 1:
                client.blpop([f"gate:{name}"], 60)
        return f"{name} #{number}"


class Broken(Job):
    """Its upstream is down for good."""

    def fetch(self, name: str) -> str:
        count(name)
        raise LookupError("the upstream is down")


class Flaky(Job):
    """Its upstream fails once, with an error that the worker is told to retry."""

    def fetch(self, name: str) -> str:
        number = count(name)
        if number == 1:
            raise ConnectionError("reset by peer")
        return f"{name} #{number}"


class Scaled(Job):
    """Rebuilt from constructor arguments."""

    def __init__(self, factor: int, unit: str = "m") -> None:
        self.factor = factor
        self.unit = unit

    def get_init_args(self) -> tuple[Any, ...]:
        return (self.factor,)

    def get_init_kwargs(self) -> dict[str, Any]:
        return {"unit": self.unit}

    def fetch(self, length: int) -> str:
        return f"{self.factor * length} {self.unit}"


class AsyncPrice(Job):
    """Fetches without blocking."""

    async def fetch(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"{name} #{count(name)}"


class Outer:
    class Inner(Job):
        """A job within another class."""

        def fetch(self, name: str) -> str:
            return f"inner {name}"


@cacheback
def shout(text: str, times: int = 1) -> str:
    return text.upper() * times


@cacheback(lifetime="1 hour", refresh_timeout=30)
async def ashout(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


class Loud(FunctionJob):
    """A function's job that does more than to call the function."""

    def fetch(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return f"{super().fetch(fn, *args, **kwargs)}!"


@cacheback(job_class=Loud)
def loud(text: str) -> str:
    return text.upper()


def plain(text: str) -> str:
    """Not decorated: no worker may run it for a message."""
    return f"{text} #{count(text)}"


@dataclass(frozen=True)
class Shop:
    town: str

    @cacheback
    def greeting(self, name: str) -> str:
        return f"{self.town} greets {name}"

    @cacheback
    @staticmethod
    def opening(day: str) -> str:
        return f"open on {day}"

    @staticmethod
    @cacheback
    def closing(day: str) -> str:
        return f"closed after {day}"


class Colour(enum.Enum):
    RED = "r"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class AuthorsByName(QuerySetFilterJob):
    """A filter job of one's own."""

    def fetch(self, name: str) -> Any:
        return self.model.objects.filter(name__startswith=name)


def make_stale(job: Job, *args: Any, data: Any = "old", **kwargs: Any) -> None:
    """Cache ``data`` for a call, as a value that is stale already."""
    job.using(lifetime=0).set(*args, data=data, **kwargs)
