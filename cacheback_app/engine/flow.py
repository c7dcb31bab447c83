"""The protocol is written once, as generators; two drivers run them for sync and async callers.

A flow yields a :class:`Step` whenever something has to happen outside of it (cache I/O, a user's
fetch, waiting) and is sent the result. That keeps the order of operations in one place, gives
async callers real ``await`` points, and lets a test run any interleaving of several flows.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, ClassVar, TypeVar

from asgiref.sync import async_to_sync, sync_to_async

from .flights import Flight, SharedCall
from .forks import in_child

T = TypeVar("T")
Flow = Generator["Step", Any, T]


class Step(ABC):
    """Something that a flow waits for."""

    @abstractmethod
    def run(self) -> Any:
        """Do it in this thread and return the result."""

    @abstractmethod
    async def arun(self) -> Any:
        """Do it without blocking the event loop and return the result."""


class IoThreads:
    """Threads in which async callers' I/O runs, made by each process for itself at first use."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._forget()
        in_child(self._forget)

    def _forget(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def get(self) -> ThreadPoolExecutor:
        """Return them."""
        if self._pool is None:
            # Each call is one round trip to a server nearby; eight keep a fast one busy.
            self._pool = ThreadPoolExecutor(8, thread_name_prefix=self._name)
        return self._pool


@dataclass(frozen=True, slots=True)
class Io(Step):
    """A blocking call of a cache or a queue, which user code is not part of."""

    do: Callable[[], Any]
    is_local: bool = False
    """Whether it never waits, so that an event loop may call it directly."""

    threads: ClassVar[IoThreads] = IoThreads("cacheback-io")

    def run(self) -> Any:
        return self.do()

    async def arun(self) -> Any:
        if self.is_local:
            return self.do()
        # Not sync_to_async: that would copy the caller's context, and with it Django's cache
        # connections, into another thread; and no user code can hold these threads up.
        done = asyncio.get_running_loop().run_in_executor(self.threads.get(), self.do)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])  # so that what undoes it comes after it
            raise


class StorageIo(Io):
    """A blocking call of a store or a record cache, which may take as long as a disk or a database.

    They have threads of their own: a cache's hit must not wait for them.
    """

    __slots__ = ()

    threads = IoThreads("cacheback-storage")


@dataclass(frozen=True, slots=True)
class Pause(Step):
    """Sleep for some seconds."""

    seconds: float

    def run(self) -> None:
        time.sleep(self.seconds)

    async def arun(self) -> None:
        await asyncio.sleep(self.seconds)


class _Purpose:
    """What user code was called for. Emptied when it is over: what it has started lives on with its
    context, and then waits for nothing of its own."""

    def __init__(self, places: Sequence[Hashable]) -> None:
        self.places = places


_purposes: ContextVar[tuple[_Purpose, ...]] = ContextVar("cacheback_purposes", default=())


def is_called_for(place: Hashable) -> bool:
    """Return whether whoever asks is user code that was called to bring what is asked for, in this
    thread or task or in one that it has started. It would wait for itself."""
    return any(place in purpose.places for purpose in _purposes.get())


@contextlib.contextmanager
def _called_for(places: Sequence[Hashable]) -> Iterator[None]:
    before, purpose = _purposes.get(), _Purpose(places)
    _purposes.set((*before, purpose))
    try:
        yield
    finally:
        purpose.places = ()
        _purposes.set(before)


@dataclass(frozen=True, slots=True)
class Fetch(Step):
    """A call of user code, sync or async, to bring what belongs to ``places``, on behalf of
    ``flights``."""

    fetch: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    flights: Sequence[Flight] = ()
    places: Sequence[Hashable] = ()

    def run(self) -> Any:
        with _called_for(self.places):
            if iscoroutinefunction(self.fetch):
                _check_no_event_loop()
                return async_to_sync(self.fetch)(*self.args, **self.kwargs)
            return self.fetch(*self.args, **self.kwargs)

    async def arun(self) -> Any:
        if iscoroutinefunction(self.fetch):
            with _called_for(self.places):
                return await self.fetch(*self.args, **self.kwargs)
        # Sync code runs in the thread that Django keeps for it (database connections live
        # there). That thread may be busy with code that itself waits for one of these flights,
        # so the work is on offer to whoever waits for them in a thread.
        work = SharedCall(self.run)
        for flight in self.flights:
            flight.offer(work)
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        work.add_callback(_wake(loop, done))
        turn = asyncio.ensure_future(sync_to_async(work.do_once)())
        try:
            await done.wait()
        except asyncio.CancelledError:
            work.withdraw()
            turn.cancel()
            raise
        return work.result()


def _check_no_event_loop() -> None:
    # async_to_sync() refuses it, too, and advises to await what its caller has never seen.
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "an event loop cannot wait here for a fetch that is async: await the async twin of what was"
        " called (aget(), aget_many(), arefresh(), ...)"
    )


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], None]:
    """Return what sets ``event`` from any thread."""

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who waited
            loop.call_soon_threadsafe(event.set)

    return wake


@dataclass(frozen=True, slots=True)
class Await(Step):
    """Wait for another caller of this process; the result is whether it landed in time."""

    flight: Flight
    timeout: float

    def run(self) -> bool:
        return self.flight.wait(self.timeout)

    async def arun(self) -> bool:
        loop = asyncio.get_running_loop()
        landed = asyncio.Event()
        wake = _wake(loop, landed)
        self.flight.add_callback(wake)
        try:
            async with asyncio.timeout(self.timeout):
                await landed.wait()
        except TimeoutError:
            return False
        finally:
            self.flight.remove_callback(wake)
        return True


@dataclass(frozen=True, slots=True)
class All(Step):
    """Run several flows; the result is the list of theirs. Async callers run them side by side."""

    flows: Sequence[Flow[Any]]

    def run(self) -> list[Any]:
        return [drive(flow) for flow in self.flows]

    async def arun(self) -> list[Any]:
        tasks = (adrive(flow) for flow in self.flows)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results


class StopIterationRaised(Exception):
    """Carries a fetch's ``StopIteration`` through generators, which it would end (PEP 479)."""


def carried(exc: BaseException) -> BaseException:
    """Return ``exc`` in a form that may pass through generators."""
    return StopIterationRaised(exc) if isinstance(exc, StopIteration) else exc


def drive(flow: Flow[T]) -> T:
    """Run ``flow`` in this thread and return its result."""
    try:
        step = next(flow)
        while True:
            try:
                result = step.run()
            except BaseException as exc:
                step = flow.throw(carried(exc))
            else:
                step = flow.send(result)
    except StopIterationRaised as exc:
        raise exc.args[0] from None
    except StopIteration as stop:
        value: T = stop.value
        return value


async def adrive(flow: Flow[T]) -> T:
    """Run ``flow`` in the running event loop and return its result."""
    try:
        step = next(flow)
        while True:
            try:
                result = await step.arun()
            except BaseException as exc:
                step = flow.throw(carried(exc))
            else:
                step = flow.send(result)
    except StopIterationRaised as exc:
        raise exc.args[0] from None
    except StopIteration as stop:
        value: T = stop.value
        return value
