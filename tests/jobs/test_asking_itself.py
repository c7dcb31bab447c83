"""A fetch that asks for the very value that it is to bring would wait for itself (J3)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from cacheback_app import Job, cacheback
from cacheback_app.testing import Clock
from tests.jobs.support import CaptureQueue, Source, in_threads

# So long that a test which waits for it does not pass.
FOR_EVER = 10_000


class Asking(Source):
    """Does whatever ``ask`` says in the midst of its fetch."""

    wait_timeout = FOR_EVER
    ask: Callable[["Asking"], Any]

    def fetch(self, name: Any = "x") -> Any:
        return self.ask() if name == "x" else name


class AskingAsync(Asking):
    async def fetch(self, name: Any = "x") -> Any:
        return await self.ask() if name == "x" else name


class Other(Job):
    def fetch(self, job: str) -> Any:
        return Asking.current.get("x")


@cacheback(wait_timeout=FOR_EVER)
def own(name: str) -> Any:
    return own(name)


async def _gathered(job: Any) -> Any:
    return await asyncio.gather(job.aget("y"), job.aget("x"))


SYNC: dict[str, Callable[[Any], Any]] = {
    "get": lambda job: job.get("x"),
    "an equal call": lambda job: job.get(name="x"),
    "get_many": lambda job: job.get_many(["y", "x"]),
    "another job's fetch": lambda job: Other().get("x"),
    "aget": lambda job: async_to_sync(job.aget)("x"),
}
ASYNC: dict[str, Callable[[Any], Any]] = {
    "aget": lambda job: job.aget("x"),
    "aget_many": lambda job: job.aget_many(["y", "x"]),
    "gather": _gathered,
    "get in a thread": lambda job: sync_to_async(job.get)("x"),
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "get": lambda job: job.get("x"),
    "get_many": lambda job: job.get_many(["x"]),
    "refresh": lambda job: job.refresh("x"),
    "aget": lambda job: asyncio.run(job.aget("x")),
    "arefresh": lambda job: asyncio.run(job.arefresh("x")),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("kind", "ask"),
    [*((Asking, ask) for ask in SYNC.values()), *((AskingAsync, ask) for ask in ASYNC.values())],
    ids=[*(f"sync {name}" for name in SYNC), *(f"async {name}" for name in ASYNC)],
)
def test_a_fetch_that_asks_for_itself(
    kind: type[Asking], ask: Any, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error at once, which names the job, wherever in the fetch it asks, and not an empty
    value after a minute. Nothing is left behind: the next call, which does not, has its value."""
    job = kind()
    monkeypatch.setattr(Asking, "current", job, raising=False)
    monkeypatch.setattr(job, "ask", lambda: ask(job), raising=False)
    with pytest.raises(RuntimeError, match=f"the fetch of {__name__}.{kind.__name__} asks for"):
        CALLS[call](job)
    assert job.explain("x").claimed_until is None

    async def well() -> str:
        return "well"

    monkeypatch.setattr(job, "ask", well if kind is AskingAsync else lambda: "well")
    assert CALLS[call](job) in ("well", ["well"])


def test_a_function_that_calls_itself() -> None:
    """A decorated function that calls itself with the same arguments is told so."""
    with pytest.raises(RuntimeError, match=f"{__name__}.own asks for the value"):
        own("x")


def test_a_worker(capture: CaptureQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """J9: a refresh in the background fails at once as well, and is no wait in a worker."""
    job = Asking().using(fetch_on_miss=False)
    monkeypatch.setattr(Asking, "ask", lambda self: Asking().get("x"), raising=False)
    assert job.get("x") is None
    with pytest.raises(RuntimeError, match="asks for the value"):
        capture.run_all()


def test_a_stale_value_is_there(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """J7: where there is a stale value, a fetch may ask for it: it has no need to wait."""
    job = Asking().using(fetch_on_stale_threshold=1)
    job.set("x", data=1)
    clock.advance(700)
    monkeypatch.setattr(job, "ask", lambda: job.get("x") + 1, raising=False)
    assert job.get("x") == 2


def test_other_arguments() -> None:
    """A fetch may ask for the same job's other values, and so on, and threads for each other's."""

    class Fibonacci(Job):
        wait_timeout = FOR_EVER

        def fetch(self, n: int) -> int:
            return n if n < 2 else sum(self.get_many([n - 1, n - 2]))

    assert in_threads(4, lambda _: Fibonacci().get(20)) == [6765] * 4


def test_what_a_fetch_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that was started by a fetch, and outlives it, may ask for that value for ever."""
    job, over = AskingAsync(), asyncio.Event()
    started: list[asyncio.Task[Any]] = []

    async def later() -> Any:
        await over.wait()
        return await job.aget("x")

    async def start() -> str:
        started.append(asyncio.create_task(later()))
        return "started"

    async def plainly() -> str:
        return "later"

    async def both() -> Any:
        monkeypatch.setattr(job, "ask", start, raising=False)
        assert await job.aget("x") == "started"
        await job.adelete("x")
        monkeypatch.setattr(job, "ask", plainly)
        over.set()
        return await started[0]

    assert asyncio.run(both()) == "later"
