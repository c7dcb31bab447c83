"""Jobs whose own code fails wherever it is asked, and values that are hard to show."""

from collections.abc import Iterable
from typing import Any

from cacheback_app import Job


class BadTags(Job):
    """Its tags fail."""

    def fetch(self, n: int) -> int:
        return n

    def tags(self, n: int) -> Iterable[str]:
        raise RuntimeError("no\ntags")


class BadKey(Job):
    """Its key fails."""

    def fetch(self, n: int) -> int:
        return n

    def key(self, n: int) -> str:
        raise RuntimeError("no\nkey")


class BadInit(Job):
    """It can't be made."""

    def __init__(self) -> None:
        raise RuntimeError("no\njob")

    def fetch(self, n: int) -> int:
        return n


class BadWarming(Job):
    """The calls to warm can't be told."""

    def fetch(self, n: int) -> int:
        return n

    def calls_to_warm(self) -> Iterable[Any]:
        raise RuntimeError("no\ncalls")


class BadFetch(Job):
    """Its error has several lines."""

    def fetch(self, n: int) -> int:
        raise RuntimeError("no\nvalue")


class deque:
    """Not what ``reprlib`` takes it for."""


class Nameless:
    """Its repr raises."""

    def __repr__(self) -> str:
        raise LookupError("no name")


class Hard(Job):
    """Gives what can't be shown."""

    VALUES: dict[str, Any] = {
        "int": 10**6000,
        "deque": deque(),
        "nameless": [Nameless()],
        "surrogate": "\ud800",
    }

    def fetch(self, which: str) -> Any:
        return self.VALUES[which]
