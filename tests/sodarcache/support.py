"""What the tests of the project cache share."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

APP = "testapp"
DATABASES = ("sqlite", "postgres", "mariadb")


class Router:
    """Has the whole site use one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self.alias

    db_for_write = db_for_read

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Call each in a thread with connections of its own, as nearly at once as can be; return
    what they returned, or raised."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        barrier.wait(30)
        try:
            results[place] = act()
        except BaseException as exc:
            results[place] = exc
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
