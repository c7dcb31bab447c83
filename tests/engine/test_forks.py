"""What children are told that a process forks off, and systems that have no forks."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.containers import ContainerRegistry
from cacheback_app.engine.outages import RateLimitedLog
from cacheback_app.records.outages import Outages
from cacheback_app.stores.handler import StoreHandler

WITHOUT_FORKS = """
import asyncio, os, random  # these ask in another way whether there are forks

del os.register_at_fork

import django

django.setup()

import cacheback_app.containers, cacheback_app.queues.threads, cacheback_app.records
from cacheback_app.stores import LocalMemoryStore

LocalMemoryStore().set("a", "b", "c")
print(cacheback_app.cacheback(divmod)(7, 2))
"""


def test_a_system_without_forks() -> None:
    """Where processes are not forked, as on Windows, everything is imported and works."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FORKS],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("(3, 1)\n", 0), done.stderr


IN_CHILD = """
import asyncio, os, signal

import django

django.setup()

from cacheback_app.stores import LocalFileStore

store = LocalFileStore(os.environ["STORE"])


async def ask():
    await store.aset("a", "b", "c")
    await asyncio.gather(*(store.aget("a", "b") for _ in range(100)))


asyncio.run(ask())
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(20)  # rather than wait for ever
print(asyncio.run(store.aget("a", "b")))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_threads_of_its_own(tmp_path: Path) -> None:
    """Async callers in a forked child are answered, whatever the parent asked before: the threads
    that did it stayed there (J18)."""
    done = subprocess.run(
        [sys.executable, "-c", IN_CHILD],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "STORE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("c\n", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "make", [RateLimitedLog, Outages, StoreHandler, lambda: ContainerRegistry(dict)]
)
def test_a_lock_that_was_held_when_a_child_was_forked_off(make: Callable[[], Any]) -> None:
    """A child waits for no lock that a thread of its parent held while it was forked (J11)."""
    held, begun, over = make(), threading.Event(), threading.Event()

    def hold() -> None:
        with held._lock:
            begun.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if held._lock.acquire(timeout=5) else 1)
    over.set()
    thread.join()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
