"""The client of an endpoint that was given none."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from cacheback_app.engine.forks import watch

if TYPE_CHECKING:
    import httpx


class OwnClient:
    """A client that is made when it is needed, by each process for itself.

    Two processes that speak over one connection read each other's answers.
    """

    def __init__(self) -> None:
        self._client: httpx.Client | None = None
        self._closing: weakref.finalize[..., OwnClient] | None = None
        self._of_parents: list[httpx.Client | None] = []
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._making = threading.Lock()
        # Kept, and not closed, which would end the parent's TLS connections.
        self._of_parents.append(self._client)
        if self._closing is not None:
            self._closing.detach()
        self._client = self._closing = None

    def get(self) -> httpx.Client:
        """Return the client."""
        with self._making:
            if self._client is None:
                import httpx

                self._client = httpx.Client()
                self._closing = weakref.finalize(self, self._client.close)
                # A child that was not forked by Python, say, would do it for its parent.
                self._closing.atexit = False
            return self._client

    def close(self) -> None:
        """Close it, if there is one; the next :meth:`get` makes another."""
        with self._making:
            client, self._client = self._client, None
            if self._closing is not None:
                self._closing.detach()
        if client is not None:
            client.close()
