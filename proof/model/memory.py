"""The memory of a process: its flights and its near cache, with others who look at them.

Who shares a process keeps in the world what is in its memory. The engine's classes do the rest.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Hashable
from enum import Enum
from typing import Any

from cacheback_app.engine.flights import Flight, Flights
from cacheback_app.engine.near import NearCache

from .players import Player, ask, pause, playing
from .world import World


class _Nothing:
    """A lock that is never taken: only one caller runs at a time, and gives way before."""

    def __enter__(self) -> None:
        """Others have come in before."""

    def __exit__(self, *_: object) -> None:
        """There is nothing to give back."""


def _own(name: str, kind: type) -> Any:
    """Return what whoever's turn it is has in a memory of its own."""
    player = playing()
    if player is None:
        return kind()  # the scheduler's, which nobody looks at again
    return player.own.setdefault(name, kind())


def _sharing() -> Player | None:
    """Return whoever's turn it is, if others share its memory."""
    player = playing()
    return player if player is not None and player.shares else None


class SharedFlight(Flight):
    """A flight whose plain attributes all actors of a process see."""

    _PRIVATE = ("name", "_changed", "_callbacks", "_work")

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()

    @classmethod
    def named(cls, name: str) -> SharedFlight:
        """Return the flight that another made."""
        flight = cls.__new__(cls)
        flight.name = name
        flight._changed, flight._callbacks, flight._work = threading.Condition(), [], None
        return flight

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._PRIVATE:
            super().__setattr__(name, value)
        else:
            ask(World.keep, (self.name, name), _packed(value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _unpacked(ask(World.recall, (self.name, name)))


def _packed(value: Any) -> Hashable:
    if value is None or isinstance(value, (int, float, str, Enum)):
        return value
    return pickle.dumps(value)


def _unpacked(value: Any) -> Any:
    return pickle.loads(value) if isinstance(value, bytes) else value


def make_flight() -> Flight:
    """Return a new flight."""
    player = _sharing()
    return Flight() if player is None else SharedFlight(player.token())


def has_landed(flight: Flight) -> bool:
    """Return whether a flight has ended."""
    return flight._landing is not None


class _SharedFlights:
    """The flights of a process by key."""

    def __init__(self) -> None:
        self._known: dict[str, SharedFlight] = {}

    def get(self, key: Hashable) -> SharedFlight | None:
        """Return the flight for ``key``: to each who looks the same object again."""
        name: str | None = ask(World.recall, key)
        if name is None:
            return None
        return self._known.get(name) or self._know(SharedFlight.named(name))

    def __setitem__(self, key: Hashable, flight: SharedFlight) -> None:
        ask(World.keep, key, self._know(flight).name)

    def __delitem__(self, key: Hashable) -> None:
        ask(World.keep, key, None)

    def pop(self, key: Hashable, default: None) -> None:
        """Forget the flight for ``key``, if there is one."""
        del self[key]

    def _know(self, flight: SharedFlight) -> SharedFlight:
        return self._known.setdefault(flight.name, flight)


class SteppedFlights(Flights):
    """Flights that others may come between."""

    @property
    def _flights(self) -> Any:  # type: ignore[override]
        return _own("flights", _SharedFlights if _sharing() else dict)

    @property
    def _lock(self) -> _Nothing:  # type: ignore[override]
        return _Nothing()

    def join(self, key: Any) -> tuple[Flight, bool]:
        _pause_if_shared("join")
        return super().join(key)

    def leave(self, key: Any, flight: Flight) -> None:
        _pause_if_shared("leave")
        super().leave(key, flight)

    def detach(self, key: Any) -> None:
        _pause_if_shared("detach")
        super().detach(key)


def _pause_if_shared(label: str) -> None:
    if _sharing():  # nobody else sees the memory of a process
        pause(label)


class _SharedValues:
    """The values of a process's near cache."""

    def get(self, key: Hashable) -> Any:
        """Return what is kept for ``key``."""
        return ask(World.recall, (_VALUES, key))

    def __setitem__(self, key: Hashable, kept: Hashable) -> None:
        ask(World.keep, (_VALUES, key), kept)

    def pop(self, key: Hashable, default: None) -> None:
        """Forget what is kept for ``key``, if anything is."""
        ask(World.keep, (_VALUES, key), None)

    def clear(self) -> None:
        """Forget everything."""
        ask(World.forget, _VALUES)

    def __len__(self) -> int:
        return 0  # so that nothing is thrown away to make room


_VALUES, _EPOCH = "near values", "near epoch"


class _Section:
    """A lock of the near cache: nobody comes in between while it is held."""

    def __enter__(self) -> None:
        _pause_if_near()
        if player := playing():
            player.is_alone = True

    def __exit__(self, *_: object) -> None:
        if player := playing():
            player.is_alone = False


class SteppedNear(NearCache):
    """A near cache that others may come between, wherever it does not hold its lock."""

    @property
    def _values(self) -> Any:  # type: ignore[override]
        _pause_if_near()
        return _own("near", _SharedValues if _sharing() else dict)

    @property
    def epoch(self) -> int:
        return (ask(World.recall, _EPOCH) if _pause_if_near() else None) or 0

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        if _pause_if_near():
            ask(World.keep, _EPOCH, epoch)

    @property
    def _lock(self) -> _Section:  # type: ignore[override]
        return _Section()

    def put(self, *args: Any) -> None:
        """See NearCache.put(). Much may have happened since the value was read."""
        _pause_if_near()
        super().put(*args)


def _pause_if_near() -> bool:
    """Let others come in if the near cache is ever looked at; return whether they see it."""
    player = playing()
    if player is None or not player.job.local_ttl:
        return False
    pause("near")
    return player.shares
