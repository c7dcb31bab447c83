"""``@cacheback`` in all its forms."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction

from cacheback_app import Call, FunctionJob, Job, cacheback, invalidate_tags
from cacheback_app.exceptions import JobNotImportable
from cacheback_app.testing import Refreshes
from tests.jobs.support import make_stale

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@cacheback
def bare(number: int, *, times: int = 2) -> int:
    """Multiply."""
    calls.append((number, times))
    return number * times


@cacheback(lifetime=5, fetch_on_miss=False, version=2)
def lazy(number: int) -> int:
    calls.append(number)
    return number


@cacheback(30, True, "other", task_options={"queue": "slow"})
def positional(number: int) -> int:
    return number


@cacheback(tags=["numbers"])
def tagged(number: int) -> int:
    calls.append(number)
    return number


@cacheback(tags=lambda number, **options: [f"number:{number}"])
def tagged_by_call(number: int) -> int:
    calls.append(number)
    return number


@cacheback()
async def slowly(number: int) -> int:
    calls.append(number)
    await asyncio.sleep(0)
    return number


class Shouting(FunctionJob):
    lifetime = 77

    def process_result(self, result: Any, **kwargs: Any) -> Any:
        return f"{result}!"


@cacheback(job_class=Shouting)
def shouted(word: str) -> str:
    return word


@dataclass(frozen=True)
class Circle:
    radius: int

    @cacheback
    def area(self, factor: int = 3) -> int:
        calls.append((self.radius, factor))
        return factor * self.radius**2

    @cacheback
    @staticmethod
    def inner(number: int) -> int:
        calls.append(number)
        return number

    @staticmethod
    @cacheback
    def outer(number: int) -> int:
        calls.append(number)
        return number

    @cacheback
    async def slow_area(self) -> int:
        calls.append(self.radius)
        return self.radius


class Opaque:
    @cacheback
    def method(self) -> int:
        return 1


def test_bare() -> None:
    """A bare ``@cacheback`` caches by all arguments, with defaults applied (J13)."""
    assert [bare(2), bare(number=2), bare(2, times=2), bare(2, times=5)] == [4, 4, 4, 10]
    assert calls == [(2, 2), (2, 5)]


def test_it_looks_like_the_function() -> None:
    """Name, docstring, module and signature are kept; ``fn`` is the function."""
    assert (bare.__name__, bare.__doc__, bare.__module__) == ("bare", "Multiply.", __name__)
    assert str(inspect.signature(bare)) == "(number: int, *, times: int = 2) -> int"
    assert bare.fn(3) == 6 and calls == [(3, 2)]
    assert isinstance(bare.job, FunctionJob)
    assert bare.__wrapped__ is bare.fn


def test_options(cacheback_refreshes: Refreshes) -> None:
    """Options are keywords, the first of them also positional."""
    assert (lazy.job.lifetime, lazy.job.fetch_on_miss, lazy.job.version) == (5, False, 2)
    assert lazy(1) is None and len(cacheback_refreshes) == 1
    job = positional.job
    assert (job.lifetime, job.fetch_on_miss, job.cache_alias) == (30, True, "other")
    assert job.task_options == {"queue": "slow"}
    assert bare.job.lifetime == 600
    with pytest.raises(TypeError, match="nonsense"):
        cacheback(nonsense=1)


def test_methods_of_the_function(cacheback_refreshes: Refreshes) -> None:
    """The job's methods take the function's own arguments."""
    bare.set(2, data="set")
    assert bare(2) == "set"
    bare.set(2, times=3, data="three")
    assert bare(2, times=3) == "three"
    bare.invalidate(2)
    assert bare.explain(2).status == Job.STALE and len(cacheback_refreshes) == 1
    assert bare.refresh(2) == 4
    assert bare.raw_get(2)[1] == 4  # type: ignore[index]
    assert bare.get_many([2, (3,)]) == [4, 6]
    assert bare.key(2) == bare.key(number=2, times=2) == bare.explain(2).key
    assert bare.key(2).startswith(f"{__name__}.bare")
    bare.delete(2)
    assert bare.raw_get(2) is None


def test_async_methods_of_the_function(cacheback_refreshes: Refreshes) -> None:
    """Each has an async twin, which takes the function's own arguments as well (J18)."""

    async def main() -> None:
        await slowly.aset(3, data=99)
        assert await slowly(3) == 99 and (await slowly.araw_get(3) or ())[1] == 99
        assert (await slowly.aexplain(3)).key == slowly.key(3)
        await slowly.ainvalidate(3)
        cacheback_refreshes.assert_refreshes(1)
        assert await slowly.arefresh(3) == 3
        await slowly.adelete(3)
        assert (await slowly.aexplain(3)).status == Job.MISS
        assert await slowly.aget_many([3, (4,), Call((), {"number": 5})]) == [3, 4, 5]

    asyncio.run(main())


def test_the_ancestors_form() -> None:
    """``f.job.set(f, ...)`` works as it did, as do a plain function and ``FunctionJob``."""
    bare.job.set(bare, 9, data="nine")
    assert bare(9) == "nine"
    assert bare.job.get(bare, 9) == "nine" == bare.job.get(bare.fn, 9)
    assert FunctionJob().get(bare.fn, 9) == "nine"
    bare.job.delete(bare, 9)
    assert bare(9) == 18
    assert asyncio.run(bare.job.aget(bare, 9)) == 18


def test_tags() -> None:
    """Tags are a list, or a function of the arguments (J5)."""
    assert [tagged(1), tagged(2), tagged_by_call(1), tagged_by_call(2)] == [1, 2, 1, 2]
    invalidate_tags("numbers", "number:2")
    statuses = [f.explain(n).status for f in (tagged, tagged_by_call) for n in (1, 2)]
    assert statuses == [Job.STALE, Job.STALE, Job.HIT, Job.STALE]


def test_async_functions() -> None:
    """An ``async`` function stays one, for who asks as well as for who awaits (J18)."""

    async def main() -> list[int]:
        return [await slowly(1), await slowly(1)]

    assert asyncio.run(main()) == [1, 1] and calls == [1]
    assert iscoroutinefunction(slowly) and not iscoroutinefunction(bare)
    assert slowly.raw_get(1)[1] == 1  # type: ignore[index]
    assert slowly.refresh(1) == 1


def test_a_job_class() -> None:
    """``job_class`` is the job that is used."""
    assert shouted("hey") == shouted("hey") == "hey!"
    assert shouted.job.lifetime == 77 and type(shouted.job) is Shouting


def test_methods() -> None:
    """A method's instance is part of the key: equal instances share (J13)."""
    assert Circle(2).area() == Circle(2).area(3) == Circle(2).area(factor=3) == 12
    assert Circle(3).area() == 27
    assert calls == [(2, 3), (3, 3)]
    assert asyncio.run(Circle(2).slow_area()) == 2
    assert Circle.area.key(Circle(2)) != Circle.area.key(Circle(3))
    Circle.area.delete(Circle(2))
    Circle(2).area()
    assert calls[-1] == (2, 3)


def test_static_methods() -> None:
    """Static methods are cached in either order of decorators, and refreshed by workers."""
    assert Circle.inner(1) == Circle(5).inner(1) == 1
    assert Circle.outer(2) == Circle(5).outer(2) == 2
    assert calls == [1, 2]


def test_workers_find_methods(cacheback_refreshes: Refreshes) -> None:
    """A worker refreshes methods and static methods from the message alone (J14)."""
    import json

    from cacheback_app.queues import RefreshCall

    Circle(2).area()
    Circle.inner(1)
    make_stale(Circle.area.job, Circle.area, Circle(2))
    make_stale(Circle.inner.job, Circle.inner, 1)
    Circle(2).area()
    Circle.inner(1)
    calls.clear()
    for call in (refresh.call for refresh in cacheback_refreshes):
        arrived = RefreshCall.from_message(json.loads(json.dumps(call.message())))
        assert arrived.slot().key == call.key
        assert arrived.run() is True
    assert calls == [(2, 3), 1]


def test_an_instance_that_has_no_key() -> None:
    """A method of a class whose instances have no key is a ``TypeError`` that names it (J13)."""
    with pytest.raises(TypeError, match=r"self.*key\(\)|key\(\).*self"):
        Opaque().method()


@pytest.mark.parametrize("queue", ["celery", "rq", "django_tasks"])
def test_what_a_worker_cannot_import_is_refused(queue: str, settings: Any) -> None:
    """A lambda or nested function is refused at decoration, unless the queue is in this
    process."""
    settings.CACHEBACK_TASK_QUEUE = queue

    def nested() -> int:
        return 1

    for fn in (nested, lambda: 1):
        with pytest.raises(JobNotImportable, match="imported"):
            cacheback(fn)
        with pytest.raises(TypeError):
            cacheback(lifetime=5)(fn)


@pytest.mark.parametrize("queue", ["sync", "threads"])
def test_in_this_process_anything_will_do(queue: str, settings: Any) -> None:
    """A queue in this process refreshes lambdas and nested functions."""
    settings.CACHEBACK_TASK_QUEUE = queue
    seen: list[int] = []

    @cacheback(lifetime=600)
    def nested(number: int) -> int:
        seen.append(number)
        return len(seen)

    doubled = cacheback(lambda number: 2 * number)
    assert doubled(4) == 8
    assert nested(1) == nested(1) == 1
    make_stale(nested.job, nested, 1)
    assert nested(1) == 1
    from tests.services import wait_until

    wait_until(lambda: nested(1) == 2)


def test_attributes_of_the_function_survive() -> None:
    """Attributes that other decorators put on the function are there."""

    def view() -> int:
        return 1

    view.csrf_exempt = True  # type: ignore[attr-defined]
    assert cacheback(view).csrf_exempt is True  # type: ignore[attr-defined]


def test_bound_methods() -> None:
    """A method of an instance takes the other arguments only, in all that it offers."""
    area = Circle(2).area
    assert area.key(5) == Circle.area.key(Circle(2), 5)
    area.set(5, data="set")
    assert area(5) == Circle(2).area(factor=5) == "set"
    assert area.raw_get(5)[1] == "set" and area.explain(5).status == Job.HIT
    area.invalidate(5)
    assert area.get_many([(5,), Call((), {"factor": 7})]) == [20, 28]
    assert area.refresh(5) == 20
    area.delete(5)
    assert area.raw_get(5) is None
    assert area.fn(Circle(2), 5) == 20 and area.job is Circle.area.job


def test_bound_methods_look_like_methods() -> None:
    """The signature of a bound method has no ``self``, and an async one says what it is (J18)."""
    assert str(inspect.signature(Circle(2).area)) == "(factor: int = 3) -> int"
    assert iscoroutinefunction(Circle(2).slow_area)
    assert not iscoroutinefunction(Circle(2).area)
    assert Circle(2).area.__name__ == "area"
