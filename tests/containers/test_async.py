"""C1: async callers, async generators, and both kinds at once."""

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from cacheback_app.containers import CacheContainer
from cacheback_app.stores import LocalMemoryStore, SQLiteStore
from tests.containers.conftest import Counted


class AsyncCounted:
    """Counts the calls of an async generator."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.calls = 0
        self._seconds = seconds

    async def generate(self, key: str) -> str:
        self.calls += 1
        await asyncio.sleep(self._seconds)
        return f"Hello {key}!"


def test_the_async_twins(tmp_path: Any, greet: Counted) -> None:
    """C1, C4: ``aget``, ``aset`` and ``adelete`` do as their twins."""
    container = CacheContainer("greeting", SQLiteStore(tmp_path / "store"), greet)

    async def scenario() -> None:
        assert await container.aget("Peter") == "Hello Peter!"
        await container.aset("Peter", (1, 2))
        assert await container.aget("Peter") == (1, 2)
        await container.adelete("Peter")
        assert await container.aget("Peter") == "Hello Peter!"
        container.generator = None
        assert await container.aget("William", "nobody") == "nobody"

    asyncio.run(scenario())
    assert greet.keys == ["Peter", "Peter"]
    container.backend.close()


def test_tasks_generate_once() -> None:
    """C1: tasks of one event loop share a run of an async generator, which is awaited."""
    counted = AsyncCounted()
    container = CacheContainer("greeting", LocalMemoryStore(), counted.generate)

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(container.aget("Peter") for _ in range(8)))

    assert asyncio.run(scenario()) == ["Hello Peter!"] * 8
    assert counted.calls == 1


def test_a_sync_caller_of_an_async_generator() -> None:
    """C1: ``[key]`` waits for an async generator as for any other."""
    counted = AsyncCounted(0)
    container = CacheContainer("greeting", LocalMemoryStore(), counted.generate)
    assert container["Peter"] == "Hello Peter!"


def test_threads_and_tasks_share_a_run() -> None:
    """C1: sync and async callers get the one value, and the event loop is not blocked."""
    calls = []

    def generate(key: str) -> str:
        calls.append(key)
        time.sleep(0.2)
        return f"Hello {key}!"

    container = CacheContainer("greeting", LocalMemoryStore(), generate)

    async def scenario() -> list[Any]:
        in_thread = asyncio.to_thread(container.__getitem__, "Peter")
        reads = asyncio.gather(in_thread, *(container.aget("Peter") for _ in range(3)))
        ticks = 0
        while not reads.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 5
        return list(await reads)

    assert asyncio.run(scenario()) == ["Hello Peter!"] * 4
    assert calls == ["Peter"]


def test_a_cancelled_caller_leaves_no_claim() -> None:
    """C1: when who generates is cancelled, the next caller generates at once."""
    counted = AsyncCounted(10)
    container = CacheContainer("greeting", LocalMemoryStore(), counted.generate)

    async def scenario() -> str:
        task = asyncio.create_task(container.aget("Peter"))
        while not counted.calls:
            await asyncio.sleep(0.01)
        waiter = asyncio.create_task(container.aget("Peter"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        container.generator = str.upper
        waiter.cancel()
        value: str = await asyncio.wait_for(container.aget("Peter"), 5)
        return value

    assert asyncio.run(scenario()) == "PETER"


def test_a_caller_cancelled_while_it_claims(tmp_path: Any) -> None:
    """C1: a claim that was being written when its owner was cancelled is given back."""
    began, go = threading.Event(), threading.Event()

    class Slow(SQLiteStore):
        def _set(self, *args: Any) -> bool:
            began.set()
            assert go.wait(10)
            return super()._set(*args)

    container = CacheContainer("greeting", Slow(tmp_path / "store"), str.upper)

    async def scenario() -> str:
        task = asyncio.create_task(container.aget("Peter"))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        value: str = await asyncio.wait_for(container.aget("Peter"), 5)
        return value

    assert asyncio.run(scenario()) == "PETER"
    container.backend.close()


def test_in_a_transaction_thread() -> None:
    """Async code may read in Django's thread for sync code."""
    container = CacheContainer("greeting", LocalMemoryStore(), lambda key: threading.get_ident())

    async def scenario() -> Any:
        return await sync_to_async(container.__getitem__)("Peter")

    assert asyncio.run(scenario()) == container["Peter"]
