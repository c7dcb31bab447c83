"""C1: the generator runs once, whoever asks, and nothing that is late is kept."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from cacheback_app.containers import CacheContainer
from cacheback_app.engine.claims import Claim, State
from cacheback_app.exceptions import AccessException
from cacheback_app.stores import BaseStore, LocalMemoryStore
from tests.containers.conftest import Counted
from tests.services import wait_until


class Gate:
    """A generator that waits until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.began = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, key: str) -> str:
        self.calls += 1
        number = self.calls
        self.began.release()
        assert self.go.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return f"{key} {number}"


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def gated(store: BaseStore, gate: Gate) -> CacheContainer:
    """A container over each backend whose generator waits."""
    return CacheContainer("gated", store, gate)


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def begin(pool: ThreadPoolExecutor, do: Callable[[], Any]) -> "Future[Any]":
    def run() -> Any:
        try:
            return do()
        finally:
            connections.close_all()

    return pool.submit(run)


def waiting(container: CacheContainer, key: str = "key") -> int:
    """Return how many callers wait for the generator in this process."""
    from cacheback_app.containers.generating import Place
    from cacheback_app.engine.flights import flights

    flight = flights._flights.get(Place(container, key))
    return flight.waiters if flight else 0


def test_eight_threads_generate_once(gated: CacheContainer, gate: Gate, pool: Any) -> None:
    """C1: threads that ask together get the one value, each its own copy of it."""
    readers = [begin(pool, lambda: gated["key"]) for _ in range(8)]
    wait_until(lambda: waiting(gated) == 7)
    gate.go.release()
    assert [reader.result(10) for reader in readers] == ["key 1"] * 8
    assert gate.calls == 1


def test_other_keys_are_generated_side_by_side(
    gated: CacheContainer, gate: Gate, pool: Any
) -> None:
    """C1: a slow key holds up nobody who asks for another."""
    readers = [begin(pool, lambda key=key: gated[key]) for key in "ab"]
    assert gate.began.acquire(timeout=10)
    assert gate.began.acquire(timeout=10)
    gate.go.release(2)
    assert {reader.result(10)[0] for reader in readers} == {"a", "b"}


def test_expired_is_generated_once(store: BaseStore, gate: Gate, pool: Any) -> None:
    """C1: threads that find an expired value generate one new one."""
    container = CacheContainer("gated", store, gate, 0.2)
    gate.go.release()
    assert container["key"] == "key 1"
    time.sleep(0.25)
    readers = [begin(pool, lambda: container["key"]) for _ in range(8)]
    wait_until(lambda: waiting(container) == 7)
    gate.go.release()
    assert [reader.result(10) for reader in readers] == ["key 2"] * 8


def test_a_failure_reaches_the_callers(gated: CacheContainer, gate: Gate, pool: Any) -> None:
    """C1: all who wait in the process get the exception; the next one tries again at once."""
    gate.error = KeyError("upstream")
    readers = [begin(pool, lambda: gated["key"]) for _ in range(4)]
    wait_until(lambda: waiting(gated) == 3)
    gate.go.release()
    for reader in readers:
        with pytest.raises(KeyError, match="upstream"):
            reader.result(10)
    assert gate.calls == 1
    gate.error = None
    gate.go.release()
    assert gated.get("key", "default") == "key 2"


def test_a_key_error_of_the_generator_is_not_a_missing_key() -> None:
    """``get`` gives its default for what is missing, not for what the generator raises."""
    container = CacheContainer("failing", LocalMemoryStore(), {}.__getitem__)
    with pytest.raises(KeyError):
        container.get("key", "default")


@pytest.mark.parametrize("error", [StopIteration("end"), KeyboardInterrupt()])
def test_whatever_is_raised_leaves_no_claim(error: BaseException) -> None:
    """C1: any exception arrives as it is, and the next caller generates at once."""
    store = LocalMemoryStore()
    errors = [error]

    def generate(key: str) -> str:
        if errors:
            raise errors.pop()
        return key

    container = CacheContainer("failing", store, generate)
    with pytest.raises(type(error)) as caught:
        container["key"]
    assert caught.value is error
    assert container["key"] == "key"


def test_a_value_that_was_deleted_meanwhile_stays_deleted(
    gated: CacheContainer, gate: Gate, pool: Any
) -> None:
    """C4: a generator that ran when its key was deleted does not bring the old value back."""
    late = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)
    del gated["key"]
    fresh = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)  # not waiting for the late one
    gate.go.release()
    gate.go.release()
    assert {late.result(10), fresh.result(10)} == {"key 1", "key 2"}
    assert gated["key"] == "key 2"


def test_a_late_value_is_not_kept(gated: CacheContainer, gate: Gate, pool: Any) -> None:
    """C4: after a deletion during the generator's run there is nothing, also in its end."""
    late = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)
    del gated["key"]
    gate.go.release()
    assert late.result(10) == "key 1"
    assert "key" not in gated


def test_a_value_set_meanwhile_stays(gated: CacheContainer, gate: Gate, pool: Any) -> None:
    """C4: a generator does not overwrite what was set while it ran, and who waits gets that."""
    late = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)
    waiter = begin(pool, lambda: gated["key"])
    wait_until(lambda: waiting(gated) == 1)
    gated["key"] = "by hand"
    assert gated["key"] == "by hand"
    gate.go.release()
    assert late.result(10) == "key 1"
    assert waiter.result(10) == "by hand"
    assert gated["key"] == "by hand"


def test_a_value_under_way_is_not_there(gated: CacheContainer, gate: Gate, pool: Any) -> None:
    """C4: ``in`` does not take a claim for a value."""
    reader = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)
    assert "key" not in gated
    gate.go.release()
    reader.result(10)


def test_another_process_deletes_and_reads(
    gated: CacheContainer, gate: Gate, pool: Any, store: BaseStore
) -> None:
    """C1, C4: a container elsewhere waits for this one's generator, and its deletion fences it."""
    elsewhere = CacheContainer("gated", store, "elsewhere {}".format)
    late = begin(pool, lambda: gated["key"])
    assert gate.began.acquire(timeout=10)
    waiter = begin(pool, lambda: elsewhere["key"])
    wait_until(lambda: waiting(elsewhere) == 0 and waiter.running())
    del elsewhere["key"]
    assert waiter.result(10) == "elsewhere key"
    gate.go.release()
    assert late.result(10) == "key 1"
    assert gated["key"] == "elsewhere key"


def claim(store: BaseStore, key: str, seconds: float, token: str = "x") -> str:
    """Claim a key, as a process that then died."""
    text = str(Claim(State.RUNNING, token, time.time() + seconds))
    store.set("greeting", key, text)
    return text


def test_a_dead_claim_is_taken_over(greeting: CacheContainer, greet: Counted) -> None:
    """C1: the claim of a process that died is waited for until it lapses, and then taken."""
    began = time.monotonic()
    claim(greeting.backend, "Peter", 0.3)
    assert greeting["Peter"] == "Hello Peter!"
    assert 0.2 < time.monotonic() - began < 5
    assert greet.keys == ["Peter"]


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan"), -1e300])
def test_no_claim_is_for_ever(seconds: float) -> None:
    """C1: whatever a claim says, it is respected for no longer than the container's timeout."""
    store = LocalMemoryStore()
    container = CacheContainer("greeting", store, str.upper, timeout=0.2)
    claim(store, "Peter", seconds)
    began = time.monotonic()
    assert container["Peter"] == "PETER"
    assert time.monotonic() - began < 3


def test_a_slow_generator_keeps_its_value(store: BaseStore, gate: Gate, pool: Any) -> None:
    """C1: one that outlasts its claim still keeps its value, if nothing happened since."""
    container = CacheContainer("gated", store, gate, timeout=0.1)
    slow = begin(pool, lambda: container["key"])
    assert gate.began.acquire(timeout=10)
    time.sleep(0.2)
    gate.go.release()
    assert slow.result(10) == "key 1"
    assert container["key"] == "key 1"
    assert gate.calls == 1


def test_the_first_of_two_slow_ones_keeps_its_value(
    store: BaseStore, gate: Gate, pool: Any
) -> None:
    """C1: who takes over a lapsed claim shares it; the first value is kept, the other is not."""
    container = CacheContainer("gated", store, gate, timeout=0.2)
    first = begin(pool, lambda: container["key"])
    assert gate.began.acquire(timeout=10)
    second = begin(pool, lambda: container["key"])
    assert gate.began.acquire(timeout=10)  # when the claim has lapsed
    gate.go.release()
    wait_until(lambda: "key" in container)
    kept = container["key"]
    gate.go.release()
    assert {first.result(10), second.result(10)} == {"key 1", "key 2"}
    assert container["key"] == kept
    assert gate.calls == 2


def test_a_generator_may_read_other_keys() -> None:
    """C1: what a value is made from may be in the same container."""

    def factorial(key: str) -> int:
        return int(key) * container[str(int(key) - 1)] if key != "0" else 1

    container = CacheContainer("factorials", LocalMemoryStore(), factorial)
    assert container["20"] == 2432902008176640000


def test_a_generator_that_asks_for_its_own_key_is_told_so() -> None:
    """C1: instead of waiting for itself."""
    container = CacheContainer("greeting", LocalMemoryStore())
    container.generator = container.get
    with pytest.raises(RuntimeError, match="asks for the key that it is to generate"):
        container["Peter"]
    container.generator = str.upper
    assert container["Peter"] == "PETER"


class Broken(LocalMemoryStore):
    """A store that fails when it is told to."""

    driver_errors = (OSError,)
    is_down = True

    def _fail(self) -> None:
        if self.is_down:
            raise OSError("gone")

    def _get(self, *args: Any) -> Any:
        self._fail()
        return super()._get(*args)

    def _set(self, *args: Any) -> Any:
        self._fail()
        return super()._set(*args)

    def _delete(self, *args: Any) -> Any:
        self._fail()
        return super()._delete(*args)


def test_reads_go_on_without_the_store(
    gate: Gate, pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A read generates, once for all threads, when the store fails; the log says so once."""
    container = CacheContainer("gated", Broken(), gate)
    readers = [begin(pool, lambda: container["key"]) for _ in range(8)]
    wait_until(lambda: waiting(container) == 7)
    gate.go.release()
    assert [reader.result(10) for reader in readers] == ["key 1"] * 8
    assert caplog.text.count("going on without it") == 1


def test_what_cannot_do_without_the_store_raises(settings: Any) -> None:
    """Without a generator, and for what is no read, the error of the store arrives."""
    container = CacheContainer("gated", Broken())
    with pytest.raises(AccessException):
        container.get("key")
    with pytest.raises(AccessException):
        container["key"] = 1
    with pytest.raises(AccessException):
        del container["key"]
    with pytest.raises(AccessException):
        assert "key" in container
    container.generator = str.upper
    settings.CACHEBACK_IGNORE_CACHE_ERRORS = False
    with pytest.raises(AccessException):
        container["key"]


def test_a_store_that_fails_meanwhile(gate: Gate, pool: Any) -> None:
    """A value that can't be kept is served; nothing is kept, and later reads are as ever."""
    store = Broken()
    store.is_down = False
    container = CacheContainer("gated", store, gate, timeout=0.2)
    reader = begin(pool, lambda: container["key"])
    assert gate.began.acquire(timeout=10)
    store.is_down = True
    gate.go.release()
    assert reader.result(10) == "key 1"
    store.is_down = False
    assert "key" not in container
    gate.go.release()
    assert container["key"] == "key 2"  # when the claim has lapsed


def test_a_store_that_takes_nothing(greet: Counted) -> None:
    """C1: one that refuses every claim and shows none holds a reader up for a timeout at most."""

    class Refusing(LocalMemoryStore):
        def _set(self, *args: Any) -> bool:
            return False

    container = CacheContainer("greeting", Refusing(), greet, timeout=0.1)
    assert container["Peter"] == "Hello Peter!"
    assert greet.keys == ["Peter"]


def test_a_hit_is_one_read(greet: Counted) -> None:
    """C1: a value that is there costs one read of the store, and no write."""
    calls: list[str] = []

    class Spied(LocalMemoryStore):
        def _get(self, *args: Any) -> Any:
            calls.append("get")
            return super()._get(*args)

        def _set(self, *args: Any) -> Any:
            calls.append("set")
            return super()._set(*args)

    container = CacheContainer("greeting", Spied(), greet)
    container["Peter"]
    assert [each for each in calls if each == "set"] == ["set", "set"]
    calls.clear()
    assert container["Peter"] == json.loads(container.backend.get("greeting", "Peter"))
    assert calls == ["get", "get"]
