"""What an application's own tests can use; ``docs/testing.md`` tells how.

Everything is imported when it is first asked for, because some of it needs pytest or
time-machine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import faults
    from .clock import Clock, fake_clock
    from .refreshes import CapturedRefresh, Refreshes, capture_refreshes
    from .running import disabled, sync_refresh
    from .stores import StoreConformance

_HOMES = {
    "CapturedRefresh": "refreshes",
    "Clock": "clock",
    "Refreshes": "refreshes",
    "StoreConformance": "stores",
    "capture_refreshes": "refreshes",
    "disabled": "running",
    "fake_clock": "clock",
    "sync_refresh": "running",
}

__all__ = [
    "CapturedRefresh",
    "Clock",
    "Refreshes",
    "StoreConformance",
    "capture_refreshes",
    "disabled",
    "fake_clock",
    "faults",
    "sync_refresh",
]


def __getattr__(name: str) -> Any:
    if name == "faults":
        return import_module(f"{__name__}.faults")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
