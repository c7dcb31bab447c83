"""Values are values: None like any other, and each caller has its own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cacheback_app import Job, cacheback
from cacheback_app.engine import bulk, reading
from cacheback_app.engine.flow import Fetch
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    Steps,
    elsewhere,
    in_threads,
    make_stale,
    slot_of,
)
from tests.jobs.test_miss import Gate
from tests.services import wait_until

FALSY: list[Any] = [None, 0, "", [], {}, (), False, b"", 0.0]


@cacheback(lifetime=600)
def nothing_for(name: str) -> None:
    nothing_for.calls.append(name)  # type: ignore[attr-defined]


nothing_for.calls = []  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", FALSY, ids=repr)
def test_falsy_values(value: Any, alias: str, capture: CaptureQueue) -> None:
    """None and other falsy values are cached, hit, stale, set and refreshed like any (J16)."""
    job = Source().using(cache_alias=alias)
    job.at.value = value
    assert job.get("x") == value and job.get("x") == value
    assert type(job.get("x")) is type(value)
    assert job.at.calls == ["x"]
    raw = job.raw_get("x")
    assert raw is not None and raw[1] == value
    assert job.explain("x").status == Job.HIT
    assert job.get_many(["x", "x"]) == [value, value]
    assert asyncio.run(job.aget("x")) == value
    make_stale(job, "x")
    assert job.get("x") == value
    assert len(capture.sent) == 1
    job.at.value = "other"
    job.set("x", data=value)
    job.set("x", value)
    assert job.get("x") == value and job.at.calls == ["x"]


def test_none_over_a_flight() -> None:
    """None is what all waiters get (J16, J3)."""
    job = Source()
    job.at.value = None
    gate = Gate(job)
    crowd = Background(lambda: in_threads(5, lambda _: job.using(wait_timeout=20).get("x")))
    assert gate.begun.wait(10)
    gate.open.set()
    assert crowd.result() == [None] * 5 and job.at.calls == ["x"]


def test_none_of_a_function_with_local_ttl() -> None:
    """None of a function is cached, in this process's memory too (J16)."""
    job = Source().using(local_ttl=60)
    job.at.value = None
    for _ in range(3):
        assert job.get("x") is None
    assert job.at.calls == ["x"]
    nothing_for.calls.clear()  # type: ignore[attr-defined]
    assert nothing_for("x") is None and nothing_for("x") is None
    assert nothing_for.calls == ["x"]  # type: ignore[attr-defined]


def test_set_by_every_spelling() -> None:
    """``set`` takes the value last, or as a keyword whose name can be chosen (J16)."""
    job = Source()
    job.set("x", data=1)
    assert job.get("x") == 1
    job.set("x", 2)
    assert job.get("x") == 2
    job.set(name="x", data=3)
    assert job.get("x") == 3
    job.using(set_data_kwarg="value").set("x", value=4)
    assert job.get("x") == 4
    asyncio.run(job.aset("x", data=5))
    assert job.get("x") == 5
    with pytest.raises(TypeError):
        job.set()


class Weather(Job):
    def fetch(self, region: str) -> str:
        return f"rain in {region}"


@cacheback
def pollen(region: str) -> int:
    return len(region)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Weather().set("north"),
        lambda: Weather().set(region="north"),
        lambda: asyncio.run(Weather().aset("north")),
        lambda: pollen.set("north"),
        lambda: pollen.set(region="north"),
        pollen.set,
        lambda: pollen.job.set(pollen, "north"),
    ],
    ids=["class", "keyword", "async", "function", "keyword of a function", "nothing", "ancestor's"],
)
def test_set_without_a_value(call: Callable[[], None]) -> None:
    """``set`` with arguments and no value is a ``TypeError`` that names the keyword of the value,
    under which nothing is stored."""
    with pytest.raises(TypeError, match=r"set\(\).*data="):
        call()
    with pytest.raises(TypeError, match=r"set\(\).* report="):
        Weather().using(set_data_kwarg="report").set("north")
    assert Weather().raw_get("north") is None and pollen.raw_get("north") is None


def test_mutating_a_hit(alias: str) -> None:
    """Mutating what ``get`` returned, on a miss or a hit, changes nothing for others (J17)."""
    job = Source().using(cache_alias=alias)
    job.at.value = {"list": [1]}
    for _ in range(3):
        got = job.get("x")
        assert got == {"list": [1]}
        got["list"].append(2)
        job.at.value = {"list": [1]}


def test_mutating_what_was_set(alias: str) -> None:
    """Nor does mutating what was set by hand (J17)."""
    job = Source().using(cache_alias=alias)
    mine = [1]
    job.set("x", data=mine)
    mine.append(2)
    assert job.get("x") == [1]


def test_waiters_have_copies() -> None:
    """Callers that share one fetch do not share the object (J17)."""
    job = Source()
    job.at.value = [1]
    gate = Gate(job)
    crowd = Background(lambda: in_threads(6, lambda _: job.get("x")))
    from cacheback_app.engine.flights import flights

    key = slot_of(job, "x").flight_key
    wait_until(lambda: (f := flights._flights.get(key)) and f.waiters == 5)
    gate.open.set()
    values = crowd.result()
    assert values == [[1]] * 6
    assert len({id(value) for value in values}) == 6


class ManyLists(Job):
    def fetch(self, number: int) -> list[int]:
        return [number]

    def fetch_many(self, calls: Any) -> Any:
        return [[call.args[0]] for call in calls]


def test_a_latecomer_to_get_many_has_a_copy() -> None:
    """A caller that comes while ``get_many`` stores its other values shares none of its
    objects (J17)."""
    job = ManyLists()
    steps = Steps(bulk.get_many([slot_of(job, 1), slot_of(job, 2)]))
    steps.run_until(Fetch)
    steps.run_next()
    steps.run_next()  # the first is stored
    with elsewhere():
        job.delete(1)
    reader = Steps(reading.get(slot_of(job, 1)))
    mine = reader.finish().value
    assert mine == [1]
    assert steps.finish()[0].value is not mine


def test_a_latecomer_to_get_many_is_not_given_what_was_deleted() -> None:
    """What ``get_many`` has stored and another process deletes is not served from a flight
    while it stores the rest (J5)."""

    class Counted(Job):
        calls: list[int] = []

        def fetch(self, number: int) -> str:
            return "new"

        def fetch_many(self, calls: Any) -> Any:
            return ["old"] * len(calls)

    job = Counted()
    steps = Steps(bulk.get_many([slot_of(job, 1), slot_of(job, 2)]))
    steps.run_until(Fetch)
    steps.run_next()
    steps.run_next()
    with elsewhere():
        job.delete(1)
    assert Steps(reading.get(slot_of(job, 1))).finish().value == "new"
    steps.finish()


def test_a_value_that_cannot_be_pickled() -> None:
    """Setting what no cache can hold is an error of the caller's, not an outage (J7)."""
    with pytest.raises(Exception, match=r"pickle|local object"):
        Source().set("x", data=lambda: 1)
