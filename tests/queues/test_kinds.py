"""Every kind of job, refreshed by a Celery worker."""

import asyncio
from typing import Any

import pytest

from cacheback_app import Job
from cacheback_app.jobs import FunctionJob, QuerySetFilterJob, QuerySetGetJob
from cacheback_app.queues.handoff import handoff
from tests.addresses import Site
from tests.testapp.models import Author

from .jobs import (
    AsyncPrice,
    AuthorsByName,
    Outer,
    Price,
    Scaled,
    Shop,
    ashout,
    fetches,
    loud,
    make_stale,
    plain,
    shout,
)
from .test_celery import renewed


@pytest.mark.parametrize(
    ("job", "args", "value"),
    [
        (Scaled(3), (2,), "6 m"),
        (Scaled(3, unit="cm"), (2,), "6 cm"),
        (Scaled(3, unit="cm").using(version=2, lifetime="1 hour"), (2,), "6 cm"),
        (Outer.Inner(), ("a",), "inner a"),
    ],
    ids=["init args", "init kwargs", "using", "nested class"],
)
def test_job(on_redis: Site, job: Job, args: tuple[Any, ...], value: str) -> None:
    """A job that is rebuilt in the worker writes the reader's key (J14)."""
    make_stale(job, *args)
    assert job.get(*args) == "old"
    assert renewed(lambda: job.raw_get(*args)) == value
    assert job.explain(*args).key == job.key(*args)


def test_overrides_apply_in_the_worker(on_redis: Site, name: str) -> None:
    """What ``using`` changed counts for the value that the worker stores (J14)."""
    job = Price().using(lifetime=5000)
    make_stale(job, name)
    job.get(name)
    renewed(lambda: job.raw_get(name))
    found = job.explain(name)
    assert found.expiry - found.fetched_at == pytest.approx(5000, abs=5)


def test_async_fetch(on_broker: Site, name: str) -> None:
    """An ``async def fetch`` is awaited in the worker (J18)."""
    make_stale(AsyncPrice(), name)
    assert AsyncPrice().get(name) == "old"
    assert renewed(lambda: AsyncPrice().raw_get(name)) == f"{name} #1"


@pytest.mark.parametrize(
    ("fn", "args", "value"),
    [
        (shout, ("hi",), "HI"),
        (shout, ("hi", 2), "HIHI"),
        (loud, ("hi",), "HI!"),
        (Shop.opening, ("Monday",), "open on Monday"),
        (Shop.closing, ("Monday",), "closed after Monday"),
        (Shop.greeting, (Shop("Bonn"), "Ann"), "Bonn greets Ann"),
    ],
    ids=["plain", "default", "job class", "static below", "static above", "method"],
)
def test_decorated_function(on_redis: Site, fn: Any, args: tuple[Any, ...], value: str) -> None:
    """A decorated function, static method or method is found and called in the worker (J14)."""
    fn.job.using(lifetime=0).set(fn, *args, data="old")
    assert fn(*args) == "old"
    assert renewed(lambda: fn.raw_get(*args)) == value
    assert fn(*args) == value


def test_bound_method(on_redis: Site) -> None:
    """A method called on its instance shares the entry of the worker's (J13, J14)."""
    shop = Shop("Ulm")
    Shop.greeting.job.using(lifetime=0).set(Shop.greeting, shop, "Bob", data="old")
    assert shop.greeting("Bob") == "old"
    assert renewed(lambda: Shop.greeting.raw_get(shop, "Bob")) == "Ulm greets Bob"
    assert shop.greeting("Bob") == "Ulm greets Bob"


def test_async_function(on_redis: Site, name: str) -> None:
    """A decorated coroutine function is awaited by its caller and by the worker (J18)."""
    ashout.job.using(lifetime=0).set(ashout, name, data="old")
    assert asyncio.run(ashout(name)) == "old"
    assert renewed(lambda: ashout.raw_get(name)) == name.upper()


def test_options_of_a_function_job(on_redis: Site, name: str) -> None:
    """A function's job with other options hands them to the worker (J14)."""
    job = shout.job.using(lifetime=4000)
    job.using(lifetime=0).set(shout, name, data="old")
    assert job.get(shout, name) == "old"
    renewed(lambda: job.raw_get(shout, name))
    found = job.explain(shout, name)
    assert found.expiry - found.fetched_at == pytest.approx(4000, abs=5)


def test_function_that_is_not_decorated(on_redis: Site, held: Any, name: str) -> None:
    """What no worker would run is not sent to one: the caller fetches it (J15, J8)."""
    job = FunctionJob(task_options={"queue": "held"})
    job.using(lifetime=0).set(plain, name, data="old")
    assert job.get(plain, name) == f"{name} #1"
    assert fetches(name) == 1
    assert handoff.flush() and held.all() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Author, "testapp.Author"], ids=["class", "label"])
def test_query_set_get_job(on_redis: Site, model: Any) -> None:
    """The get job of a model reads the row in the worker (J19, J14)."""
    ann = Author.objects.create(name="Ann")
    job = QuerySetGetJob(model, lifetime=900, task_options={"priority": 3})
    make_stale(job, name="Ann", data=Author(pk=ann.pk, name="Ann", email="old@example.org"))
    assert job.get(name="Ann").email == "old@example.org"
    renewed(lambda: (0, job.raw_get(name="Ann")[1].email), old="old@example.org")
    found = job.raw_get(name="Ann")[1]
    assert (found, found.email) == (ann, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("job", "args", "kwargs"),
    [
        (QuerySetFilterJob(Author), (), {"name__startswith": "A"}),
        (AuthorsByName("testapp.Author"), ("A",), {}),
    ],
    ids=["filter", "own"],
)
def test_query_set_filter_job(
    on_redis: Site, job: Job, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """The filter job gives a list after a worker's refresh, too (J19)."""
    authors = [Author.objects.create(name=name) for name in ("Ann", "Anton")]
    Author.objects.create(name="Bob")
    make_stale(job, *args, data=[], **kwargs)
    assert job.get(*args, **kwargs) == []
    assert renewed(lambda: job.raw_get(*args, **kwargs), old=[]) == authors
    assert job.get(*args, **kwargs) == authors


@pytest.mark.django_db(transaction=True)
def test_row_that_is_not_there(on_redis: Site, results: Any) -> None:
    """A worker that finds no row has its answer, and removes the stale value (J19)."""
    job = QuerySetGetJob(Author)
    make_stale(job, name="Nobody", data=Author(pk=1, name="Nobody"))
    assert job.get(name="Nobody").name == "Nobody"
    found = results.wait_for_one()
    assert (found["status"], found["result"]) == ("SUCCESS", False)
    with pytest.raises(Author.DoesNotExist):
        job.get(name="Nobody")
