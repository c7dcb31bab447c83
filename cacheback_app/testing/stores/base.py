"""What all parts of the suite share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cacheback_app.exceptions import NotFoundException
from cacheback_app.stores.base import BaseStore


class StoreTests:
    """Makes the store that is tested, and a partition of it for each test."""

    threads = 16
    """How many threads race."""
    increments = 5
    """How often each of them counts."""
    lifetime = 0.2
    """Seconds that short-lived entries live: more than a few calls take."""

    def make_store(self) -> BaseStore:
        """Return the store to be tested."""
        raise NotImplementedError(f"{type(self).__name__} needs make_store()")

    @pytest.fixture
    def store(self) -> Iterator[BaseStore]:
        """The store to be tested."""
        store = self.make_store()
        yield store
        store.close()

    @pytest.fixture
    def pk(self) -> str:
        """A partition key that no other test uses."""
        return uuid.uuid4().hex

    def in_thread(self, do: Callable[[], Any]) -> Any:
        """Call ``do`` in a thread that then ends; the place to close what it opened."""
        return do()


def assert_missing(store: BaseStore, pk: str, sk: str = "sk") -> None:
    """Fail when there is an entry."""
    with pytest.raises(NotFoundException):
        store.get(pk, sk)
