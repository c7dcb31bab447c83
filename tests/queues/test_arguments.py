"""Arguments on their way to a worker in another process."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.addresses import Site
from tests.services import wait_until
from tests.testapp.models import Author, Book, Genre

from .jobs import Access, Colour, Echo, Shop

ARGUMENTS: list[Any] = [
    None,
    True,
    1,
    -1.5,
    float("inf"),
    10**40,
    2 + 3j,
    "",
    "grün \x00 \U0001f600 \ud800",
    b"\x00\xff",
    bytearray(b"ab"),
    (),
    (1, ("a", [2])),
    [1, (2,)],
    {1, "1", (2, 3)},
    frozenset({1}),
    {"a": 1, 2: {"b": (3,)}, (4, 5): None},
    range(1, 9, 2),
    Decimal("1.10"),
    date(2026, 1, 2),
    time(3, 4, 5, 6, tzinfo=UTC),
    timedelta(days=-1, microseconds=1),
    datetime(2026, 1, 2, 3, 4, 5, 6),
    datetime(2026, 1, 2, tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    uuid.UUID("12345678-1234-5678-1234-567812345678"),
    Colour.RED,
    Access.READ | Access.WRITE,
    Path("/srv/a b.txt"),
    PurePosixPath("x"),
    Shop("Bonn"),
    [{"shop": (Shop("Ulm"), Colour.RED)}],
]


def stored(call: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Return what the worker stored."""
    wait_until(lambda: call() is not None, timeout, what="the worker's value")
    return call()[1]


def test_every_type_arrives_as_it_was(on_redis: Site) -> None:
    """Every argument arrives with its type and value, under the reader's key (J14)."""
    job = Echo().using(fetch_on_miss=False)
    for value in ARGUMENTS:
        job.get(value, [value], named={"it": value})
    for value in ARGUMENTS:
        found = stored(lambda value=value: job.raw_get(value, [value], named={"it": value}))
        arrived, (in_list,), named = found
        for it in (arrived, in_list[0], named["named"]["it"]):
            assert (type(it), it) == (type(value), value)
            assert repr(it) == repr(value) or isinstance(value, (set, frozenset))
        if isinstance(value, datetime):
            assert (arrived.fold, arrived.tzinfo) == (value.fold, value.tzinfo)


def test_equal_calls_are_one_key_in_the_worker(on_redis: Site) -> None:
    """What was asked for by keyword is found by position; a set has no order (J13)."""
    job = Echo().using(fetch_on_miss=False)
    job.get(value={"b", "a", "c"})
    assert stored(lambda: job.raw_get({"c", "b", "a"}))[0] == {"a", "b", "c"}


@pytest.mark.django_db(transaction=True)
def test_model_instance_is_read_anew(on_redis: Site) -> None:
    """A saved instance is read by its key in the worker: what counts is the row there (J14)."""
    author = Author.objects.create(name="Ann")
    genre = Genre.objects.create(slug="crime story")
    book = Book.objects.create(title="Noon", author=author)
    job = Echo().using(fetch_on_miss=False)
    author.name = "not saved"
    job.get(author, [genre], book=book)
    arrived, (others,), named = stored(lambda: job.raw_get(author, [genre], book=book))
    assert arrived == author
    assert arrived.name == "Ann"
    assert arrived._state.db == "default"
    assert (others, named) == ([genre], {"book": book})


@pytest.mark.django_db(transaction=True)
def test_model_instance_that_is_gone(on_redis: Site, results: Any) -> None:
    """The refresh for a row that was deleted meanwhile fails in the worker, not silently (J14)."""
    author = Author.objects.create(name="Ann")
    job = Echo().using(task_options={"countdown": 0.3}, fetch_on_miss=False)
    job.get(author)
    Author.objects.all().delete()
    found = results.wait_for_one()
    assert (found["status"], found["result"]["exc_type"]) == ("FAILURE", "MalformedCall")
