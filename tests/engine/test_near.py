"""The values in this process's own memory."""

import math
import threading
import time
from typing import Any

from cacheback_app.engine.near import NearCache
from cacheback_app.testing import Clock
from tests.jobs.support import in_threads

LATER = math.inf


def test_put_and_get(clock: Clock) -> None:
    """A value comes with its deadline; the reader compares (J17)."""
    near = NearCache()
    near.put("k", None, time.time() + 5, near.epoch)
    kept = near.get("k")
    assert kept is not None and kept[1] is None
    assert abs(kept[0] - time.time() - 5) < 1
    assert near.get("other") is None
    clock.advance(6)
    assert kept[0] < time.time()


def test_no_time_no_value() -> None:
    """What has no time left is not kept."""
    near = NearCache()
    near.put("k", 1, time.time(), near.epoch)
    near.put("k", 1, time.time() - 1, near.epoch)
    assert near.get("k") is None


def test_a_removal_fences() -> None:
    """A value that was read before a removal is not put back after it (J5)."""
    near = NearCache()
    for remove in (lambda: near.remove("k"), near.clear, lambda: near.remove("other")):
        epoch = near.epoch
        remove()
        near.put("k", "old", LATER, epoch)
        assert near.get("k") is None


def test_nobody_sees_what_is_put_beside_a_removal() -> None:
    """Whoever comes after a removal does not find what was read before it, not even for the
    moment in which it is put (J5)."""
    near = NearCache()
    remover = threading.Thread(target=near.remove, args=("k",))
    seen: list[tuple[bool, object]] = []

    class Values(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            remover.start()
            remover.join(0.1)  # it cannot end here: what is being put would be seen after it
            super().__setitem__(key, value)
            seen.append((remover.is_alive(), self.get(key)))

    near._values = Values()
    near.put("k", "old", LATER, near.epoch)
    remover.join()
    assert [is_removing for is_removing, _ in seen] == [True]
    assert near.get("k") is None


def test_removals() -> None:
    """``remove`` forgets one, ``clear`` all."""
    near = NearCache()
    for key in "abc":
        near.put(key, key, LATER, near.epoch)
    near.remove("a")
    near.remove("never there")
    assert near.get("a") is None and near.get("b") is not None
    near.clear()
    assert near.get("b") is None


def test_it_is_bounded() -> None:
    """It never holds more than its capacity; the oldest go first."""
    near = NearCache(capacity=100)
    for number in range(1000):
        near.put(number, number, LATER, near.epoch)
        assert len(near._values) <= 100
    assert near.get(999) is not None and near.get(0) is None


def test_many_threads() -> None:
    """Threads that put, read and remove at once break nothing."""
    near = NearCache(capacity=50)

    def work(index: int) -> str:
        for number in range(500):
            near.put((index, number), number, LATER, near.epoch)
            near.get((index, number - 1))
            if number % 7 == 0:
                near.remove((index, number))
        return "done"

    assert in_threads(8, work) == ["done"] * 8
    assert len(near._values) <= 50 + 8
