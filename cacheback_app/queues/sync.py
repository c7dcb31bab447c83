"""Refreshes in place, before ``get`` returns: for tests."""

from __future__ import annotations

from .base import BaseQueue
from .call import RefreshCall


class SyncQueue(BaseQueue):
    """Runs every refresh at once. Its failures are reported as those of a worker are."""

    in_process = True
    in_place = True

    def enqueue(self, call: RefreshCall) -> None:
        call.run_quietly()
