"""What stands before a queue or a cache for a while: the one seam that tests work through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
Layer = Callable[[str, T], T]
"""Is given the configured name of a thing, and the thing; returns what to use in its place."""


class Layers(Generic[T]):
    """The layers over every thing of one kind, in all threads. Mostly there are none.

    :param changed: called whenever there is one more or one less.
    """

    def __init__(self, changed: Callable[[], None] | None = None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._layers: tuple[Layer[T], ...] = ()

    def over(self, name: str, thing: T) -> T:
        """Return ``thing`` as it looks through all layers; the latest is the outermost."""
        for layer in self._layers:
            thing = layer(name, thing)
        return thing

    @contextmanager
    def added(self, layer: Layer[T]) -> Iterator[None]:
        """Put ``layer`` over all others within the block. Blocks may end in any order."""
        own = _Own(layer)
        self._replace(lambda layers: (*layers, own))
        try:
            yield
        finally:
            self._replace(lambda layers: tuple(each for each in layers if each is not own))

    def _replace(self, change: Callable[[tuple[Layer[T], ...]], tuple[Layer[T], ...]]) -> None:
        with self._lock:
            self._layers = change(self._layers)
        if self._changed is not None:
            self._changed()


class _Own(Generic[T]):
    """One use of a layer, so that a block takes its own away and no equal one."""

    def __init__(self, layer: Layer[T]) -> None:
        self._layer = layer

    def __call__(self, name: str, thing: T) -> T:
        return self._layer(name, thing)
