"""Processes that run functions of the suites, with Django set up in each."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from .environment import set_up

_CONTEXT = multiprocessing.get_context("spawn")


class Worker:
    """A process of its own that calls functions, one after another.

    :param environment: environment variables in which it differs from this process.
    """

    def __init__(self, **environment: str) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, environment), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, function: Callable[..., Any], *args: Any) -> None:
        """Have ``function(*args)`` called; both are pickled."""
        self._pipe.send((function, args))

    def result(self, timeout: float = 30.0) -> Any:
        """Return what the function returned.

        :raises TimeoutError: when it takes longer than ``timeout`` seconds.
        """
        if not self._pipe.poll(timeout):
            raise TimeoutError(f"no answer within {timeout} s")
        value, error = self._pipe.recv()
        if error:
            raise RuntimeError(error)
        return value

    def call(self, function: Callable[..., Any], *args: Any, timeout: float = 30.0) -> Any:
        """Call ``function(*args)`` there and return what it returns."""
        self.begin(function, *args)
        return self.result(timeout)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, environment: dict[str, str]) -> None:
    os.environ |= environment
    set_up()
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((function(*args), None))
        except Exception:
            pipe.send((None, traceback.format_exc()))
