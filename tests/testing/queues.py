"""A queue of a site's own that must not be reached."""

from cacheback_app.queues import BaseQueue, RefreshCall


class Refusing(BaseQueue):
    """Fails the test that reaches it."""

    def enqueue(self, call: RefreshCall) -> None:
        raise AssertionError("the configured queue was reached")
