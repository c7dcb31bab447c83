"""Reads through the ORM: no SQL on a hit, and values by name rather than pickled instances."""

import asyncio
import pickle
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.db.models import Count, F, QuerySet
from django.test.utils import CaptureQueriesContext

from cacheback_app import Job, QuerySetFilterJob, QuerySetGetJob
from tests.jobs.support import CaptureQueue
from tests.testapp.models import Author, Book, Novel, Translator

pytestmark = pytest.mark.django_db(transaction=True)

NoQueries = Callable[[int], Any]


@pytest.fixture
def book() -> Book:
    author = Author.objects.create(name="Ann")
    return Book.objects.create(
        title="One",
        author=author,
        price=Decimal("9.50"),
        pages=12,
        reading_time=timedelta(hours=3),
        details={"a": [1]},
        cover="covers/one.png",
        thumbnail=b"\x00\x01",
    )


def values(instance: Any) -> dict[str, Any]:
    return {
        field.attname: getattr(instance, field.attname).name
        if field.attname == "cover"
        else bytes(getattr(instance, field.attname))
        if field.attname == "thumbnail"
        else getattr(instance, field.attname)
        for field in instance._meta.concrete_fields
    }


@pytest.mark.parametrize("alias_name", ["default", "own"])
def test_no_sql_on_a_hit(
    book: Book, alias_name: str, redis_url: str, django_assert_num_queries: NoQueries
) -> None:
    """A hit of a get or filter job runs no SQL and gives every field as it was (J19, J1)."""
    one = QuerySetGetJob(Book, cache_alias=alias_name)
    several = QuerySetFilterJob(Book, cache_alias=alias_name)
    with django_assert_num_queries(2):
        fetched, listed = one.get(title="One"), several.get(in_print=True)
    with django_assert_num_queries(0):
        hit, hits = one.get(title="One"), several.get(in_print=True)
        assert hit == fetched and hits == listed == [book]
        assert values(hit) == values(fetched) == values(hits[0]) == values(book)
        assert type(hit) is Book and hit._state.db == "default" and not hit._state.adding
        assert hit.cover.name == "covers/one.png" and hit.cover.field.name == "cover"
        assert [*asyncio.run(several.aget(in_print=True))] == [book]


def test_a_hit_can_be_saved(book: Book) -> None:
    """An instance from the cache is a full one: its file, relations and ``save`` work (J19)."""
    job = QuerySetGetJob(Book)
    job.get(pk=book.pk)
    hit = job.get(pk=book.pk)
    assert hit.author.name == "Ann"
    hit.pages = 99
    hit.save()
    book.refresh_from_db()
    assert book.pages == 99 and book.cover.name == "covers/one.png"


def test_does_not_exist(django_assert_num_queries: NoQueries) -> None:
    """``DoesNotExist`` reaches the caller, each time, and is not cached (J19)."""
    job = QuerySetGetJob(Author)
    for _ in range(2):
        with django_assert_num_queries(1), pytest.raises(Author.DoesNotExist):
            job.get(name="Ann")
    assert job.raw_get(name="Ann") is None
    ann = Author.objects.create(name="Ann")
    assert job.get(name="Ann") == ann
    Author.objects.create(name="Ann")
    with pytest.raises(Author.MultipleObjectsReturned):
        job.refresh(name="Ann")


def test_a_list_on_every_path(capture: CaptureQueue) -> None:
    """The filter job gives a list when it misses, hits, refetches, is stale, refreshed or
    many, and when there is nothing to give yet (J19)."""
    job = QuerySetFilterJob(Author)
    assert job.using(fetch_on_miss=False).get(name="Ann") == []
    capture.sent.clear()
    job.delete(name="Ann")
    assert job.get(name="Ann") == [] == job.get(name="Ann")
    Author.objects.create(name="Ann")
    for got in (
        job.refresh(name="Ann"),
        job.get(name="Ann"),
        job.raw_get(name="Ann")[1],  # type: ignore[index]
        asyncio.run(job.aget(name="Ann")),
        asyncio.run(job.arefresh(name="Ann")),
        job.using(fetch_on_stale_threshold=0, lifetime=0).get(name="Ann"),
    ):
        assert type(got) is list and got == list(Author.objects.all())


def test_a_queryset_of_a_subclass_is_evaluated(django_assert_num_queries: NoQueries) -> None:
    """A ``fetch`` of one's own may return a queryset: it is evaluated once (J19)."""

    class Cheap(QuerySetFilterJob):
        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            return self.model.objects.filter(*args, **kwargs).annotate(loud=F("name"))

    Author.objects.create(name="Ann")
    job = Cheap(Author)
    with django_assert_num_queries(1):
        first = job.get(name="Ann")
    with django_assert_num_queries(0):
        second = job.get(name="Ann")
        assert type(first) is type(second) is list and not isinstance(first, QuerySet)
        assert second[0].loud == "Ann"


def test_no_pickled_instance_is_stored(book: Book) -> None:
    """What lies in the cache names no model class: a worker without it can unpickle it (J19)."""
    jobs: list[Job] = [QuerySetGetJob(Book), QuerySetFilterJob(Book)]
    for job in jobs:
        job.get(pk=book.pk)
        data = pickle.dumps(caches["default"].get(job.key(pk=book.pk)))
        assert b"tests.testapp" not in data and b"model_unpickle" not in data
        assert b"FieldFile" not in data


def test_a_touched_file_is_stored_by_name(book: Book) -> None:
    """A ``FileField`` that the fetch looked at is stored as its name (J19)."""

    class Looking(QuerySetGetJob):
        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            found = super().fetch(*args, **kwargs)
            assert found.cover.name
            return found

    job = Looking(Book)
    job.get(pk=book.pk)
    assert b"FieldFile" not in pickle.dumps(caches["default"].get(job.key(pk=book.pk)))
    assert job.get(pk=book.pk).cover.name == "covers/one.png"


def _edit(job: Job, change: Callable[[list[str], list[list[Any]]], Any], **kwargs: Any) -> None:
    """Rewrite an entry as one of an earlier model: ``change`` edits names and rows."""
    key = job.key(**kwargs)
    packed = caches["default"].get(key)
    form, (db, names, deferred, rows, *extras) = packed[2]
    names, rows = list(names), [list(row) for row in rows]
    change(names, rows)
    value = (form, (db, tuple(names), deferred, [tuple(row) for row in rows], *extras))
    caches["default"].set(key, (*packed[:2], value, *packed[3:]))


@pytest.mark.parametrize("kind", [QuerySetGetJob, QuerySetFilterJob])
def test_an_entry_with_a_field_that_was_dropped(
    kind: Any, book: Book, django_assert_num_queries: NoQueries
) -> None:
    """An entry from before a field was dropped is read without it (J19)."""
    job = kind(Book)
    job.get(pk=book.pk)

    def add(names: list[str], rows: list[list[Any]]) -> None:
        names.insert(2, "dropped")
        for row in rows:
            row.insert(2, "gone")

    _edit(job, add, pk=book.pk)
    with django_assert_num_queries(0):
        got = job.get(pk=book.pk)
        got = got[0] if isinstance(got, list) else got
        assert values(got) == values(book) and "dropped" not in vars(got)


@pytest.mark.parametrize("kind", [QuerySetGetJob, QuerySetFilterJob])
@pytest.mark.parametrize("read", ["get", "aget", "get_many", "raw_get", "explain"])
def test_an_entry_without_a_field_that_was_added(kind: Any, read: str, book: Book) -> None:
    """An entry from before a field was added is a miss (J19)."""
    from cacheback_app import Call

    job = kind(Book)
    job.get(pk=book.pk)

    def remove(names: list[str], rows: list[list[Any]]) -> None:
        at = names.index("rating")
        del names[at]
        for row in rows:
            del row[at]

    _edit(job, remove, pk=book.pk)
    with CaptureQueriesContext(connection) as queries:
        if read == "aget":
            asyncio.run(job.aget(pk=book.pk))
        elif read == "get_many":
            job.get_many([Call((), {"pk": book.pk})])
        elif read == "get":
            job.get(pk=book.pk)
        elif read == "raw_get":
            assert job.raw_get(pk=book.pk) is None
        else:
            assert job.explain(pk=book.pk).status == Job.MISS
    if read in ("get", "get_many"):
        assert len(queries) == 1
    assert job.get(pk=book.pk) in (book, [book])


@pytest.mark.parametrize(
    "stored",
    ["text", None, (), ("one",), ("many", None), ("one", ("default",)), ("odd", 1), {"form": 1}],
    ids=repr,
)
def test_an_entry_of_another_form(stored: Any, book: Book) -> None:
    """An entry that an earlier release of anything wrote is a miss, not an error (J19, J11)."""
    job = QuerySetGetJob(Book)
    job.get(pk=book.pk)
    key = job.key(pk=book.pk)
    packed = caches["default"].get(key)
    caches["default"].set(key, (*packed[:2], stored, *packed[3:]))
    assert job.get(pk=book.pk) == book
    assert caches["default"].get(key)[2] != stored


def test_annotations_and_deferred_fields(book: Book, django_assert_num_queries: NoQueries) -> None:
    """Annotations come back, and what was deferred is deferred still (J19)."""

    class Annotated(QuerySetFilterJob):
        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            found = self.model.objects.filter(*args, **kwargs).defer("details", "title")
            return found.annotate(genre_count=Count("genres"), double=F("pages") * 2)

    job = Annotated(Book)
    job.get(pk=book.pk)
    with django_assert_num_queries(0):
        [hit] = job.get(pk=book.pk)
        assert (hit.genre_count, hit.double) == (0, 24)
        assert hit.get_deferred_fields() == {"details", "title"}
    with django_assert_num_queries(1):
        assert hit.details == {"a": [1]}


def test_parents_and_proxies(book: Book, django_assert_num_queries: NoQueries) -> None:
    """Child tables and proxies are instances of their own class, with all fields (J19)."""
    translator = Translator.objects.create(name="Tom", languages=["de"])
    one, two = QuerySetGetJob(Translator), QuerySetFilterJob(Novel)
    one.get(name="Tom")
    two.get(title="One")
    with django_assert_num_queries(0):
        hit, [novel] = one.get(name="Tom"), two.get(title="One")
        assert type(hit) is Translator and hit == translator
        assert (hit.name, hit.languages, hit.pk) == ("Tom", ["de"], translator.pk)
        assert type(novel) is Novel and novel.pk == book.pk


@pytest.mark.parametrize(
    "make",
    [
        lambda objects: list(objects.values("title", "pages")),
        lambda objects: list(objects.values_list("title", flat=True)),
        lambda objects: objects.count(),
        lambda objects: None,
        lambda objects: ("other", 1),
        lambda objects: [*objects.all(), None],
    ],
    ids=["values", "values_list", "count", "none", "pair", "mixed"],
)
def test_other_results(make: Any, book: Book, django_assert_num_queries: NoQueries) -> None:
    """A ``fetch`` of one's own may return anything (J19, J16)."""

    class Other(QuerySetFilterJob):
        def fetch(self) -> Any:
            return make(self.model.objects)

    job = Other(Book)
    fetched = job.get()
    with django_assert_num_queries(0):
        assert job.get() == fetched and type(job.get()) is type(fetched)


def test_models_do_not_share_keys(book: Book) -> None:
    """Jobs of different models, or kinds, never share a key; by class or label they do (J19)."""
    author = book.author
    keys = {
        QuerySetGetJob(Book).key(pk=1),
        QuerySetGetJob(Author).key(pk=1),
        QuerySetFilterJob(Book).key(pk=1),
        QuerySetGetJob(Novel).key(pk=1),
    }
    assert len(keys) == 4
    assert QuerySetGetJob("testapp.Book").key(pk=1) == QuerySetGetJob(Book).key(pk=1)
    assert QuerySetGetJob(Author).get(pk=author.pk) == author


def test_options_and_arguments(book: Book) -> None:
    """Options are keywords; instances, ``None`` and lists are arguments (J19, J13)."""
    job = QuerySetFilterJob(Book, lifetime=5, version=3, fetch_on_miss=False, local_ttl=0)
    assert (job.lifetime, job.version, job.fetch_on_miss) == (5, 3, False)
    job = QuerySetFilterJob(Book, 7, True, "other")
    assert (job.lifetime, job.fetch_on_miss, job.cache_alias) == (7, True, "other")
    assert job.get(author=book.author, rating=None) == [book]
    assert job.get(pk__in=[book.pk, uuid.uuid4()]) == [book]
    with pytest.raises(TypeError):
        QuerySetGetJob(Book, nonsense=1)


def test_a_stale_entry_is_refreshed(book: Book, capture: CaptureQueue) -> None:
    """A worker renews what a queryset job read (J19, J2)."""
    job = QuerySetGetJob(Book)
    job.get(title="One")
    key = job.key(title="One")
    packed = caches["default"].get(key)
    caches["default"].set(key, (packed[0], 1.0, *packed[2:]))
    Book.objects.update(pages=500)
    assert job.get(title="One").pages == 12
    assert capture.run_all() == [True]
    assert job.get(title="One").pages == 500


def test_mutating_a_hit_is_private(book: Book) -> None:
    """A caller that changes the instance it got changes nobody else's (J17, J19)."""
    job = QuerySetGetJob(Book)
    for _ in range(3):
        got = job.get(pk=book.pk)
        assert (got.title, got.details) == ("One", {"a": [1]})
        got.title = "Changed"
        got.details["a"].append(2)


def test_set_of_an_instance_and_a_queryset(book: Book) -> None:
    """Instances and lists can be set by hand; a queryset becomes a list (J19)."""
    one, several = QuerySetGetJob(Book), QuerySetFilterJob(Book)
    one.set(pk=book.pk, data=book)
    assert one.get(pk=book.pk) == book
    several.set(pk=book.pk, data=[book])
    assert several.get(pk=book.pk) == [book]
    several.set(pk=book.pk, data=Book.objects.filter(pk=book.pk))
    got = several.get(pk=book.pk)
    assert type(got) is list and got == [book]
    raw = pickle.dumps(caches["default"].get(several.key(pk=book.pk)))
    assert b"tests.testapp" not in raw


def test_related_models_are_not_pickled(book: Book) -> None:
    """A list of another model's instances, as ``fetch`` of one's own may return, is stored by
    field values, too, or at least read without an error (J19)."""

    class Authors(QuerySetFilterJob):
        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            return [b.author for b in self.model.objects.filter(*args, **kwargs)]

    job = Authors(Book)
    job.get(title="One")
    assert job.get(title="One") == [book.author]


def test_a_row_that_is_gone_is_not_served_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A refresh that finds no row removes what was cached, and is no failure (J19)."""
    Author.objects.create(name="Jane")
    job = QuerySetGetJob(Author)
    assert job.get(name="Jane").name == "Jane"
    Author.objects.all().delete()
    job.invalidate(name="Jane")
    with pytest.raises(Author.DoesNotExist):
        job.get(name="Jane")
    explained = job.explain(name="Jane")
    assert explained.status == Job.MISS and explained.last_error is None
    assert caplog.records == []


def test_a_stale_row_that_is_gone_is_not_served_in_place_of_the_answer() -> None:
    """Refetched in the caller, a row that is gone is ``DoesNotExist``, not a stale value (J19)."""
    Author.objects.create(name="Jane")
    job = QuerySetGetJob(Author, lifetime=0, fetch_on_stale_threshold=0)
    job.get(name="Jane")
    assert job.explain(name="Jane").status == Job.STALE
    Author.objects.all().delete()
    with pytest.raises(Author.DoesNotExist):
        job.get(name="Jane")
    assert job.raw_get(name="Jane") is None
