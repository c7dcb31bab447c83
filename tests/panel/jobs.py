"""Jobs to look at, some of them hostile."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from cacheback_app import Job, cacheback
from cacheback_app.engine import keys

SCRIPT = "<script>document.title='owned'</script>"


class Figures(Job):
    """A plain job."""

    fetched: list[Any] = []
    lifetime = 100

    def fetch(self, year: int, month: int = 1) -> dict[str, int]:
        self.fetched.append((year, month))
        return {"year": year, "month": month}


class Shop(Job):
    """A job with arguments of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_init_args(self) -> tuple[str, ...]:
        return (self.name,)

    def fetch(self) -> str:
        return f"shop {self.name}"


class Fails(Job):
    """A job whose fetch raises something that looks like markup."""

    def fetch(self, text: str) -> str:
        raise ValueError(f"{SCRIPT} \ud800 {text}")


class Hostile(Job):
    """A job whose values, tags and keys look like markup, or can't be encoded."""

    def fetch(self, text: str) -> Any:
        return [SCRIPT, "\ud800", text]

    def tags(self, text: str) -> Iterable[str]:
        return [SCRIPT, "\ud800"]

    def key(self, text: str) -> str:
        return keys.make(f"{self._key_prefix()}:{SCRIPT}", (text,), ("text",))


class Broken(Job):
    """A job whose own methods raise whatever they like."""

    def fetch(self, text: str) -> str:
        return text

    def prepare_args(self, text: str) -> tuple[str, ...]:
        return ({"known": text}[text],)

    def tags(self, text: str) -> Iterable[str]:
        raise RuntimeError("no tags today")


class Unprintable:
    """A value whose repr raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Odd(Job):
    """A job with a value that can't be shown."""

    def fetch(self) -> Unprintable:
        return Unprintable()


@cacheback(lifetime=50)
def greeting(name: str, day: date | None = None) -> str:
    """Return a greeting."""
    return f"Hello {name} {day}"
