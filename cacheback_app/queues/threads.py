"""Refreshes in threads of the process that asks for them: a site without a broker."""

from __future__ import annotations

from django.db import close_old_connections

from cacheback_app import signals

from .base import BaseQueue
from .call import RefreshCall
from .pool import BoundedPool


class ThreadsQueue(BaseQueue):
    """A few threads and a bounded backlog; what is too much is dropped, as its claim will lapse.

    What is left is worked off when the process exits, for as long as ``pool.drain_timeout``.
    """

    in_process = True

    def __init__(self) -> None:
        # Refreshes wait for upstreams rather than compute; four keep one slow one from
        # holding up all others, and leave the database most of its connections.
        self.pool = BoundedPool(
            threads=4, backlog=1000, drain_timeout=10.0, name="cacheback-refresh"
        )

    def enqueue(self, call: RefreshCall) -> None:
        if not self.pool.submit(lambda: _run(call)):
            signals.refresh_dropped.send_robust(
                call.sender, job=call.path, key=call.key, queue=self.name
            )


def _run(call: RefreshCall) -> None:
    # As before and after a request: these threads have database connections of their own.
    close_old_connections()
    try:
        call.run_quietly()
    finally:
        close_old_connections()
