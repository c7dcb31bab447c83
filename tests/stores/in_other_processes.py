"""What tests.stores.test_processes runs in other processes."""

import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cacheback_app.stores import (
    BaseStore,
    DataFormatException,
    NotFoundException,
    SQLiteStore,
)
from cacheback_app.stores.handler import build
from cacheback_app.testing.stores import increment
from tests.store_fixtures import added_database

Backend = dict[str, Any]
"""``definition`` of a store, and ``database``: the URL of the alias "store" if it needs one."""


@contextmanager
def opened(backend: Backend) -> Iterator[tuple[BaseStore, Callable[[], None]]]:
    """Give the store, and what closes its connections."""
    if backend["database"] is None:
        store = build("store", backend["definition"])
        yield store, store.close
        store.close()
        return
    from django.db import connections

    with added_database("store", backend["database"]):
        store = build("store", backend["definition"])
        yield store, connections["store"].close


def race(index: int, processes: int, backends: dict[str, Backend], counts: int) -> dict[str, Any]:
    """Race with the other processes on each backend; return what this one won, or its traceback."""
    return {name: _reported(_race, index, processes, backends[name], counts) for name in backends}


def _reported(do: Callable[..., Any], *args: Any) -> Any:
    try:
        return do(*args)
    except Exception:
        return traceback.format_exc()


def _race(index: int, processes: int, backend: Backend, counts: int) -> dict[str, bool]:
    with opened(backend) as (store, _):
        _meet(store, index, processes)
        won = {
            "add": _made(lambda: store.set("race", "add", str(index), not_set=True)),
            "swap": _made(lambda: store.set("race", "swap", str(index), constraint="start")),
            "delete": _made(lambda: store.delete("race", "delete", constraint="start")),
        }
        for _ in range(counts):
            increment(store, "race", "count")
        return won


def _meet(store: BaseStore, index: int, processes: int) -> None:
    """Wait until every process is here."""
    store.set("meeting", str(index), "here")
    deadline = time.monotonic() + 30
    for other in range(processes):
        while True:
            with suppress(NotFoundException):
                store.get("meeting", str(other))
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {other} does not come")
            time.sleep(0.002)


def _made(write: Callable[[], None]) -> bool:
    try:
        write()
    except DataFormatException:
        return False
    return True


def kill_writers(index: int, backends: dict[str, Backend], rounds: int) -> dict[str, Any]:
    """Kill writers of each backend; return how many values they wrote, or a traceback."""
    return {name: _reported(_kill_writers, backend, rounds) for name, backend in backends.items()}


def _kill_writers(backend: Backend, rounds: int) -> int:
    number = 0
    with opened(backend) as (store, close):
        store.set("killed", "sk", _text(0))
        for _ in range(rounds):
            close()  # a connection must not be shared with a child
            last = _write_until_killed(backend, number)
            value = _settled(store)
            number = int(value.split(" ", 1)[0])
            assert value == _text(number), "a torn value"
            assert number in (last, last + 1), f"{last} was committed, {number} is there"
    return number


def _text(number: int) -> str:
    return f"{number} {'x' * 20_000} {number}"


def _write_until_killed(backend: Backend, number: int) -> int:
    """Have a child count up from ``number`` and kill it; return the last that it had written."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _count_for_ever(backend, number, writing)
        finally:
            os._exit(1)
    os.close(writing)
    began, _, _ = select.select([reading], [], [], 30)
    assert began, "the writer does not begin"
    time.sleep(random.uniform(0.0, 0.02))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as pipe:
        numbers = pipe.read().split()
    assert numbers, "the writer failed"
    return int(numbers[-1])


def _count_for_ever(backend: Backend, number: int, pipe: int) -> None:
    with opened(backend) as (store, _):
        while True:
            store.set("killed", "sk", _text(number + 1), constraint=_text(number))
            number += 1
            os.write(pipe, b"%d\n" % number)


def _settled(store: BaseStore) -> str:
    """Return the value when it is the same twice: a server may still be at the last statement."""
    value = ""
    while value != (value := store.get("killed", "sk")):
        time.sleep(0.02)
    return value


def fork_while_writing(path: str) -> str:
    """Fork while another thread would hold the store's lock; return what the child says of it."""
    store = SQLiteStore(path)
    store.set("pk", "sk", "of the parent")
    parents = store._connections._idle
    reading, writing = os.pipe()
    with store._writing:
        pid = os.fork()
        if pid == 0:
            try:
                store.set("pk", "sk", "of the child", constraint="of the parent")
                own = store._connections._idle is not parents
                os.write(writing, b"other connections" if own else b"the parent's connections")
            finally:
                os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()
