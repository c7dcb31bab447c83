"""Single flight within a process."""

import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from cacheback_app.engine.flights import Flight, Flights, Landing, SharedCall
from tests.jobs.support import Background, in_threads
from tests.services import wait_until


def test_one_leader() -> None:
    """Of many who join at once one leads, until it leaves (J3)."""
    flights = Flights()
    joined = in_threads(30, lambda _: flights.join("k"))
    assert sum(is_leader for _, is_leader in joined) == 1
    assert len({id(flight) for flight, _ in joined}) == 1
    flight = joined[0][0]
    assert flight.waiters == 29 and len(flights) == 1
    flights.leave("k", flight)
    assert len(flights) == 0
    other, is_leader = flights.join("k")
    assert is_leader and other is not flight
    flights.leave("k", flight)
    assert len(flights) == 1, "a flight that has left cannot end its successor"


def test_keys_are_apart() -> None:
    """Flights of different keys have nothing to do with each other (J3)."""
    flights = Flights()
    assert flights.join(("a", "k"))[1] and flights.join(("b", "k"))[1]


def test_detach() -> None:
    """A detached flight lands for who waits, and nobody joins it any more (J5)."""
    flights = Flights()
    flight, _ = flights.join("k")
    flights.join("k")
    flights.detach("k")
    assert flights.join("k")[1]
    flight.land(Landing.VALUE, [1])
    assert flight.answer() == (Landing.VALUE, [1])
    flights.detach("nothing")


def test_the_first_landing_counts() -> None:
    """A flight lands once (J3)."""
    flight = Flight()
    flight.waiters = 1
    flight.land(Landing.VALUE, 1)
    flight.land(Landing.ERROR, ValueError())
    assert flight.answer() == (Landing.VALUE, 1)
    assert flight.wait(0) is True


def test_leading() -> None:
    """How the leader's block ends is what the others hear, and nobody comes later (J3)."""
    flights = Flights()

    def flown(lead: Callable[[Callable[[Any], None]], object]) -> tuple[Landing, Any]:
        flight, _ = flights.join("k")
        flight.add_callback(lambda: left.append(len(flights)))
        with suppress(ZeroDivisionError, KeyboardInterrupt), flights.leading("k", flight) as bring:
            lead(bring)
        return flight.answer()

    def fail(_: object) -> None:
        raise error

    left: list[int] = []
    error: BaseException = ZeroDivisionError()
    assert flown(lambda bring: bring(None)) == (Landing.VALUE, None)
    assert flown(lambda bring: None) == (Landing.RETRY, None)
    assert flown(fail) == (Landing.ERROR, error)
    error = KeyboardInterrupt()
    assert flown(fail) == (Landing.RETRY, None)
    assert left == [0] * 4, "who comes while the others are told would be given what is old"


def test_copies() -> None:
    """Each waiter has its own copy; what cannot be copied is shared (J17)."""
    flight = Flight()
    flight.waiters = 2
    value = [1]
    flight.land(Landing.VALUE, value)
    one, other = flight.answer()[1], flight.answer()[1]
    assert one == other == value
    assert one is not other and one is not value
    shared = Flight()
    shared.waiters = 1
    unpicklable = threading.Lock()
    shared.land(Landing.VALUE, unpicklable)
    assert shared.answer()[1] is unpicklable


def test_waiting() -> None:
    """Who waits wakes on landing, or after the timeout (J3)."""
    flight = Flight()
    began = time.monotonic()
    assert flight.wait(0.05) is False
    assert flight.wait(0) is False and flight.wait(-1) is False
    assert time.monotonic() - began < 1
    waiter = Background(lambda: flight.wait(10))
    flight.land(Landing.RETRY)
    assert waiter.result() is True
    assert flight.answer() == (Landing.RETRY, None)


def test_callbacks() -> None:
    """Callbacks are called once, also when the flight has landed already (J18)."""
    flight, called = Flight(), []
    flight.add_callback(lambda: called.append(1))
    flight.land(Landing.RETRY)
    flight.land(Landing.RETRY)
    flight.add_callback(lambda: called.append(2))
    assert called == [1, 2]


def test_work_is_done_once() -> None:
    """Of many threads one does the work, and all see what came of it (J18)."""
    done: list[int] = []
    work = SharedCall(lambda: done.append(1) or 5)
    in_threads(10, lambda _: work.do_once())
    assert done == [1] and work.result() == 5 and work.try_do() is False
    failing = SharedCall(lambda: 1 / 0)
    failing.do_once()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing.result()


def test_waiting_for_ever() -> None:
    """``wait_timeout`` may be infinite (J3)."""
    flight = Flight()
    waiter = Background(lambda: flight.wait(math.inf))
    wait_until(lambda: flight._changed._waiters or not waiter.is_running)  # type: ignore[attr-defined]
    flight.land(Landing.RETRY)
    assert waiter.result() is True


def test_work_that_was_withdrawn_holds_nobody_up() -> None:
    """Who comes to withdrawn work does not begin it, and does not wait for it: that may be the one
    thread that Django has for sync code, a moment after its caller was cancelled (J18)."""
    ran: list[int] = []
    work = SharedCall(lambda: ran.append(1))
    work.withdraw()
    Background(work.do_once).result()
    assert ran == []


class Picky(Exception):
    """As many exceptions: it is pickled without an error, and cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_a_value_that_cannot_be_unpickled_is_shared() -> None:
    """Who waited gets the value itself where it cannot be copied, and no error (J3)."""
    flight = Flight()
    flight.waiters = 1
    value = Picky("a", "b")
    flight.land(Landing.VALUE, value)
    assert flight.answer() == (Landing.VALUE, value)


def test_a_waiting_thread_does_what_is_on_offer() -> None:
    """A thread that waits for a flight does the work that is offered, and waits on (J18)."""
    flight = Flight()
    waiter = Background(lambda: flight.wait(10))
    ran: list[int] = []
    done = threading.Event()

    def do() -> None:
        ran.append(threading.get_ident())
        done.set()

    work = SharedCall(do)
    flight.offer(work)
    assert done.wait(10)
    assert ran != [threading.get_ident()] and waiter.is_running
    flight.land(Landing.RETRY)
    assert waiter.result() is True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_no_flights() -> None:
    """The leaders of a parent's flights do not exist in its child, which leads its own (J3)."""
    from multiprocessing import get_context

    from cacheback_app.engine import flights as module

    module.flights.join("k")
    context: Any = get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(module.flights.join("k")[1]))
    child.start()
    child.join(10)
    assert child.exitcode == 0 and queue.get() is True
