"""The same for each of many, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
R = TypeVar("R")


def each(things: Iterable[T], do: Callable[[T], R], workers: int = 1) -> Iterator[R]:
    """Yield what ``do`` returns for each thing, as it comes.

    No more things are taken than there are workers for. When the caller stops or is interrupted,
    what runs is finished and nothing else is begun.

    :param workers: threads; 1 is the caller's own.
    """
    if workers == 1:
        yield from map(do, things)
        return

    def do_and_hang_up(thing: T) -> R:
        try:
            return do(thing)
        finally:
            connections.close_all()  # this thread's

    with ThreadPoolExecutor(workers, thread_name_prefix="sodarcache") as pool:
        running: set[Future[R]] = set()
        for thing in things:
            running.add(pool.submit(do_and_hang_up, thing))
            if len(running) == workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in wait(running).done)
