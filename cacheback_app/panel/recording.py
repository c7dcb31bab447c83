"""Recording the reads of one request, for the Debug Toolbar.

Signals tell what came of a read; when it began and who asked, only its call does. So the methods
that read are wrapped, but only while some request is being recorded, and a context variable tells
the reads of that request from all others.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import wraps
from inspect import isawaitable
from typing import Any, NamedTuple

from django.dispatch import Signal

from cacheback_app import signals
from cacheback_app.base import Job
from cacheback_app.decorators import CachedFunction
from cacheback_app.engine import registry

_recorder: ContextVar[Recorder | None] = ContextVar("cacheback_recorder", default=None)
_current: ContextVar[Read | None] = ContextVar("cacheback_read", default=None)


class Value(NamedTuple):
    """One value that was read."""

    key: str
    status: int
    age: float | None
    """Seconds since its fetch, None for one that was just fetched."""


@dataclass(slots=True)
class Read:
    """One call of ``get``, ``get_many`` and the like."""

    job: str
    arguments: Any
    caller: str
    depth: int
    """How many reads it is within."""
    at: float
    """Unix timestamp of its beginning."""
    seconds: float = 0.0
    values: list[Value] = field(default_factory=list)
    """What was read; of ``get_many`` it is several."""
    dispatched: set[str] = field(default_factory=set)
    """Keys of which a refresh was handed to the queue."""
    fetched: float | None = None
    """Seconds that fetching took for this caller."""
    error: str = ""


class Recorder:
    """Collects the reads of the context that it was started in."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self._token: Token[Recorder | None] | None = None

    def start(self) -> None:
        """Record from now on."""
        if self._token is None:
            _taps.open()
            self._token = _recorder.set(self)

    def stop(self) -> None:
        """Record no more."""
        if self._token is None:
            return
        try:
            _recorder.reset(self._token)
        except ValueError:  # an event loop ends the request in another context
            _recorder.set(None)
        self._token = None
        _taps.close()


class _Taps:
    """The wrappers and receivers that all recorders share, there while there is a recorder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._originals: list[tuple[type, str, Any]] = []

    def open(self) -> None:
        with self._lock:
            self._open += 1
            if self._open > 1:
                return
            # What a function calls is its job's method as it was, so that nothing counts twice.
            for cls, name in _METHODS:
                original = cls.__dict__[name]
                self._originals.append((cls, name, original))
                setattr(cls, name, _tapped(original))
            for signal, receiver in _RECEIVERS.items():
                signal.connect(receiver, weak=False, dispatch_uid="cacheback.recording")

    def close(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open:
                return
            while self._originals:
                setattr(*self._originals.pop())
            for signal in _RECEIVERS:
                signal.disconnect(dispatch_uid="cacheback.recording")


_taps = _Taps()

_METHODS: list[tuple[type, str]] = [
    (Job, "get"),
    (Job, "aget"),
    (Job, "get_many"),
    (Job, "aget_many"),
    (CachedFunction, "__call__"),
]


def _tapped(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def tapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = _recorder.get()
        if recorder is None:
            return method(self, *args, **kwargs)
        read = _begun(self, args, kwargs)
        recorder.reads.append(read)
        token = _current.set(read)
        try:
            result = method(self, *args, **kwargs)
        except Exception as exc:
            _end(read, exc)
            raise
        finally:
            _current.reset(token)
        if isawaitable(result):
            return _awaited(read, result)
        _end(read)
        return result

    return tapped


async def _awaited(read: Read, result: Awaitable[Any]) -> Any:
    token = _current.set(read)
    read.at = time.time()
    try:
        value = await result
    except Exception as exc:
        _end(read, exc)
        raise
    finally:
        _current.reset(token)
    _end(read)
    return value


def _begun(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Read:
    outer = _current.get()
    is_function = isinstance(target, CachedFunction)
    return Read(
        job=registry.dotted(target.fn if is_function else type(target)),
        arguments=(*args, dict(kwargs)) if kwargs else args,
        caller=_caller(),
        depth=0 if outer is None else outer.depth + 1,
        at=time.time(),
    )


def _end(read: Read, exc: Exception | None = None) -> None:
    read.seconds = time.time() - read.at
    if exc is not None:
        read.error = type(exc).__name__


def _caller() -> str:
    """Return file and line of the innermost frame outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


_OURS = (f"{__name__.partition('.')[0]}.",)


def _was_read(*, job: str, key: str, status: int, age: float | None, **details: object) -> None:
    if read := _current.get():
        read.job = job  # of several functions' reads through one job, too
        read.values.append(Value(key, status, age))


def _was_dispatched(*, key: str, **details: object) -> None:
    if read := _current.get():
        read.dispatched.add(key)


def _was_fetched(*, duration: float, background: bool, **details: object) -> None:
    if not background and (read := _current.get()):
        read.fetched = (read.fetched or 0.0) + duration


_RECEIVERS: Mapping[Signal, Callable[..., None]] = {
    signals.cache_read: _was_read,
    signals.refresh_dispatched: _was_dispatched,
    signals.refresh_succeeded: _was_fetched,
    signals.refresh_failed: _was_fetched,
}
