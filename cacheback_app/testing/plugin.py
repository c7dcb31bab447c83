"""The fixtures of the pytest plugin, for a ``conftest.py``, where pytest loads none by itself."""

from pytest_cacheback import (
    cacheback_clock,
    cacheback_disabled,
    cacheback_faults,
    cacheback_refreshes,
    cacheback_sync_refresh,
)

__all__ = [
    "cacheback_clock",
    "cacheback_disabled",
    "cacheback_faults",
    "cacheback_refreshes",
    "cacheback_sync_refresh",
]
