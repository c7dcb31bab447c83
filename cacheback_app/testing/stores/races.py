"""Many threads at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from cacheback_app.exceptions import DataFormatException, NotFoundException
from cacheback_app.stores.base import BaseStore

from .base import StoreTests, assert_missing


class Races(StoreTests):
    """A write is one step, whoever else reads and writes."""

    def test_one_of_many_adds(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads that store what is not set, exactly one succeeds."""
        self._assert_one_wins(store, pk, not_set=True)

    def test_one_of_many_takes_over_what_expired(self, store: BaseStore, pk: str) -> None:
        """S2: so it is when an expired entry is still lying around."""
        store.set(pk, "sk", "old", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        self._assert_one_wins(store, pk, not_set=True)

    def test_one_of_many_swaps(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads with the same constraint exactly one succeeds."""
        store.set(pk, "sk", "start")
        self._assert_one_wins(store, pk, constraint="start")

    def test_one_of_many_deletes(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads that delete a certain value exactly one succeeds."""
        store.set(pk, "sk", "start")

        def delete(number: int) -> bool:
            try:
                store.delete(pk, "sk", constraint="start")
            except DataFormatException:
                return False
            return True

        assert sum(self._race(delete)) == 1
        assert_missing(store, pk)

    def test_no_increment_is_lost(self, store: BaseStore, pk: str) -> None:
        """S2: threads that count by compare-and-set arrive at the exact total."""
        store.set(pk, "sk", "0")

        def count(number: int) -> None:
            for _ in range(self.increments):
                increment(store, pk, "sk")

        self._race(count)
        assert store.get(pk, "sk") == str(self.threads * self.increments)

    def test_no_half_values(self, store: BaseStore, pk: str) -> None:
        """S4: who reads while others write and delete sees one whole value or none."""
        lengths = {str(digit): 1000 * (digit + 1) for digit in range(4)}
        done = threading.Event()

        def write(number: int) -> None:
            for turn in range(10):
                digit = str((number + turn) % len(lengths))
                store.set(pk, "sk", digit * lengths[digit])
            store.delete(pk, "sk")

        def read() -> int:
            seen = 0
            while not done.is_set() or not seen:
                seen += 1
                with suppress(NotFoundException):
                    value = store.get(pk, "sk")
                    assert value == value[0] * lengths[value[0]]
            return seen

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(self.in_thread, read)
            try:
                self._race(write, threads=4)
            finally:
                done.set()
            assert reader.result(60)

    def _assert_one_wins(self, store: BaseStore, pk: str, **condition: Any) -> None:
        def write(number: int) -> int | None:
            try:
                store.set(pk, "sk", str(number), **condition)
            except DataFormatException:
                return None
            return number

        winners = [number for number in self._race(write) if number is not None]
        assert len(winners) == 1
        assert store.get(pk, "sk") == str(winners[0])

    def _race(self, do: Callable[[int], Any], threads: int = 0) -> list[Any]:
        """Return what ``do(number)`` returns in each of as many threads, begun at once."""
        threads = threads or self.threads
        barrier = threading.Barrier(threads)

        def run(number: int) -> Any:
            barrier.wait(60)
            return self.in_thread(lambda: do(number))

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, range(threads)))


def increment(store: BaseStore, pk: str, sk: str) -> int:
    """Count one up by compare-and-set, as often as it takes; return the new number."""
    while True:
        old = store.get(pk, sk)
        with suppress(DataFormatException):
            store.set(pk, sk, str(int(old) + 1), constraint=old)
            return int(old) + 1
