"""A job and what is not one, and a list of whatever ran."""

from typing import Any

from cacheback_app import Job, cacheback

ran: list[Any] = []


class Honest(Job):
    lifetime = 600

    def fetch(self, what: Any = "nothing") -> str:
        ran.append(("fetch", what))
        return f"new {what}"

    def wipe(self) -> None:
        ran.append("wipe")


class NotAJob:
    """Looks like one."""

    def __init__(self, *args: Any) -> None:
        ran.append("init")

    def fetch(self) -> None:
        ran.append("fetch")

    @classmethod
    def rebuild(cls, **kwargs: Any) -> Any:
        ran.append("rebuild")
        return Honest(), ()

    _rebuild = rebuild


def plain(*args: Any, **kwargs: Any) -> None:
    ran.append("plain")


@cacheback
def decorated(what: str) -> str:
    ran.append(("decorated", what))
    return what.upper()


class Holder:
    job = Honest

    class Inner:
        pass


instance = Honest()
not_a_job = NotAJob
text = "not a job"
