"""What all caches of records do."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import make_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine

from cacheback_app.exceptions import UnstorableValue
from cacheback_app.records import (
    Comparison,
    JSONCache,
    MissingParentError,
    Query,
    RecordCache,
    RequestMethod,
    Shape,
    UnknownField,
    UnsuitableModel,
)
from tests.records.conftest import KINDS, Make
from tests.records.models import Blob, Client, Colour, Everything, Person, Tracker, endpoint_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

USES: dict[str, Callable[[Any], object]] = {
    "commit": lambda cache: cache.commit(),
    "load_cache": lambda cache: cache.load_cache(),
    "save_cache": lambda cache: cache.save_cache([], RequestMethod.GET),
    "find_entry": lambda cache: cache.find_entry({"id": 1}),
    "add_entry": lambda cache: cache.add_entry(Tracker(1)),
    "update_entry": lambda cache: cache.update_entry(Tracker(1)),
    "delete_entry": lambda cache: cache.delete_entry({"id": 1}),
    "query": lambda cache: cache.query(),
    "find_method": lambda cache: cache.find_method(RequestMethod.GET),
    "parent_exist": lambda cache: cache.parent_exist(),
    "answer": lambda cache: cache.answer("a"),
    "keep_answer": lambda cache: cache.keep_answer("a", [], Shape.NONE),
    "extend_answer": lambda cache: cache.extend_answer("a"),
    "outdate_answers": lambda cache: cache.outdate_answers(),
    "parent": lambda cache: cache.parent,
}


def ids(records: Any) -> list[int]:
    return [record.id for record in records]


@pytest.mark.parametrize("use", USES)
def test_without_a_parent(use: str, kind: str, tmp_path: Any) -> None:
    """R1: any use without a parent is a MissingParentError, an AttributeError and a ValueError."""
    cache = KINDS[kind](tmp_path)
    with pytest.raises(MissingParentError) as caught:
        USES[use](cache)
    assert isinstance(caught.value, AttributeError) and isinstance(caught.value, ValueError)
    cache.parent = endpoint_of(Tracker)
    assert cache.parent_exist()


def test_a_json_caches_path_is_its_models(tmp_path: Any) -> None:
    """R1: a path that depends on the model needs the parent, too."""
    cache: JSONCache[Any] = JSONCache(tmp_path)
    with pytest.raises(MissingParentError):
        _ = cache.cache_path
    cache.parent = endpoint_of(Tracker)
    assert cache.cache_path == tmp_path / "cache_tracker.json"
    cache.parent = endpoint_of(Client)
    assert cache.cache_path == tmp_path / "cache_client.json"


def test_the_folder_is_made(make: Make) -> None:
    """The cache's folder, and those above it, are made when they are missing."""
    assert make().cache_path.parent.is_dir()


@pytest.mark.parametrize("hint", [Collection[int], "Nowhere"])
def test_a_field_that_pydantic_does_not_know(make: Make, hint: Any) -> None:
    """A model with a field of a type that pydantic has no form for is refused by its name."""
    model = make_dataclass("Odd", [("id", int), ("field", hint)])
    with pytest.raises(UnsuitableModel, match="Odd has a field"):
        make(model=model).load_cache()


@pytest.mark.parametrize("model", [int, Colour, type("Nameless", (), {"id": 1})])
def test_a_model_that_is_none(make: Make, model: type) -> None:
    """A model has to be a dataclass or pydantic model with an id; the error says so."""
    with pytest.raises(UnsuitableModel, match="neither a dataclass"):
        make(model=model).load_cache()


def test_kept_and_found(cache: RecordCache[Tracker], make: Make) -> None:
    """Records are durable when a call returns, and found by record and by id."""
    one, two = Tracker(1, "one", NOON, ["a"]), Tracker(2, "two")
    cache.add_entry(one, two)
    for reader in (cache, make()):
        assert reader.load_cache() == [one, two]
        assert reader.find_entry(one) == reader.find_entry({"id": 1}) == one
        assert reader.find_entry({"name": "two"}) == two
        assert reader.find_entry({"id": 2, "name": "one"}) is None
        for missing in (3, "1", None, float("nan"), [1]):
            assert reader.find_entry({"id": missing}) is None


def test_update_and_delete(cache: RecordCache[Tracker]) -> None:
    """An update replaces or adds, and moves to the end; deleting what is missing is silent."""
    cache.add_entry(Tracker(1), Tracker(2))
    cache.update_entry(Tracker(1, "new"), Tracker(3))
    assert cache.load_cache() == [Tracker(2), Tracker(1, "new"), Tracker(3)]
    cache.delete_entry(Tracker(1), {"id": 2}, {"id": 99})
    assert cache.load_cache() == [Tracker(3)]
    cache.commit()
    assert cache.load_cache() == [Tracker(3)]


@pytest.mark.parametrize("wrong", [1, "1", None, [1], Client(1, "x")], ids=repr)
def test_what_names_no_record(cache: RecordCache[Tracker], wrong: Any) -> None:
    """What is neither a record of the model nor a mapping is a TypeError that says what is
    expected, and deletes nothing: not the record that has another model's id either."""
    cache.add_entry(Tracker(1))
    for use in (cache.find_entry, cache.delete_entry):
        with pytest.raises(TypeError, match=r'is no Tracker, and no \{"id": ...\}'):
            use(wrong)
    with pytest.raises(TypeError, match="is no Tracker"):
        cache.save_cache([wrong], RequestMethod.DELETE)
    assert cache.load_cache() == [Tracker(1)]


def test_deleting_by_other_fields(cache: RecordCache[Tracker]) -> None:
    """What is to be deleted is named by its id; without one it is an error that says so."""
    cache.add_entry(Tracker(1, "one"))
    for wrong in ({"name": "one"}, {}):
        with pytest.raises(ValueError, match='has no "id"'):
            cache.delete_entry({"id": 1}, wrong)
    with pytest.raises(ValueError, match="None is no record's id"):
        cache.delete_entry({"id": None})
    assert cache.load_cache() == [Tracker(1, "one")]


def test_every_type_survives(make: Make) -> None:
    """Nested values, time zones, durations and Decimals come back unchanged."""
    from decimal import Decimal
    from uuid import UUID

    record = Everything(
        2**70,
        -(2**64),
        float("inf"),
        Decimal("1.10"),
        True,
        "\x00\U0001f600",
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        date(2026, 1, 1),
        datetime(2026, 1, 1, 5, 6, 7, 8).time(),
        timedelta(days=-1, microseconds=1),
        UUID(int=5),
        Colour.RED,
        Client(1, "x"),
        ["b", "a"],
        [Decimal("0.10"), Decimal("1E+400")],
        [datetime(1, 1, 1), NOON],
        {"deep": [1, 2.5, None, {"x": "y"}]},
    )
    make(model=Everything).add_entry(record)
    (found,) = make(model=Everything).load_cache()
    assert found == record and repr(found.amount) == repr(record.amount)
    assert found.moment.utcoffset() == timedelta(hours=2)


def test_pydantic_models(make: Make) -> None:
    """Pydantic models with text ids, aliases and nested models are records, too."""
    person = Person(id="a/b", fullName="Ann", born=date(1990, 5, 17), client=Client(1, "x"))
    cache = make(model=Person)
    cache.save_cache(person, RequestMethod.POST)
    assert make(model=Person).find_entry({"id": "a/b"}) == person
    assert list(cache.query(Query("name", "Ann"), Query("client", {"id": 1, "name": "x"})))


def test_nothing_is_shared(cache: RecordCache[Tracker]) -> None:
    """Changing a record that was saved, found, loaded or queried changes nothing in the cache."""
    saved = Tracker(1, "a", tags=["x"])
    cache.add_entry(saved)
    found, (loaded,), (queried,) = cache.find_entry({"id": 1}), cache.load_cache(), cache.query()
    assert found is not None
    for record in (saved, found, loaded, queried):
        record.name = "changed"
        record.tags.append("changed")
    assert cache.load_cache() == [Tracker(1, "a", tags=["x"])]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (Client(1, "x"), TypeError),
        (Tracker("x"), UnstorableValue),  # type: ignore[arg-type]
        (Tracker(1, 5), UnstorableValue),  # type: ignore[arg-type]
        (Tracker(1, "\ud800"), UnstorableValue),
        (Tracker(None), UnstorableValue),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_record(cache: RecordCache[Tracker], record: Any, error: type) -> None:
    """What isn't a valid record of the model is a TypeError, and nothing of the call is saved."""
    with pytest.raises(error) as caught:
        cache.add_entry(Tracker(1), record)
    assert isinstance(caught.value, TypeError)
    assert cache.load_cache() == []


def test_find_method(cache: RecordCache[Tracker]) -> None:
    """Each method has the cache's method that does what the request did."""
    expected = {
        RequestMethod.GET: cache.add_entry,
        RequestMethod.PUT: cache.add_entry,
        RequestMethod.POST: cache.update_entry,
        RequestMethod.PATCH: cache.update_entry,
        RequestMethod.DELETE: cache.delete_entry,
    }
    assert {method: cache.find_method(method) for method in RequestMethod} == expected


@pytest.mark.parametrize("method", RequestMethod)
def test_save_cache(cache: RecordCache[Tracker], method: RequestMethod) -> None:
    """DELETE removes, all others save; after all but GET the answers are asked for again."""
    cache.keep_answer("all", [Tracker(1, "old"), Tracker(2)], Shape.LIST)
    cache.save_cache([Tracker(1, "new")], method)
    expected = None if method is RequestMethod.DELETE else Tracker(1, "new")
    assert cache.find_entry({"id": 1}) == expected
    assert (cache.answer("all") is None) == (method is not RequestMethod.GET)
    cache.save_cache({"id": 2}, RequestMethod.DELETE)
    cache.save_cache(iter([Tracker(7)]), RequestMethod.GET)
    assert cache.find_entry({"id": 2}) is None and cache.find_entry({"id": 7})


@pytest.mark.parametrize("hour", [3600, 3600.0, timedelta(hours=1)])
def test_expiry(make: Make, hour: Any) -> None:
    """R2: expired records are neither loaded, found nor queried, and are replaced cleanly."""
    with time_machine.travel(NOON, tick=False) as clock:
        cache = make(hour)
        cache.add_entry(Tracker(1, "old"))
        clock.shift(3599)
        cache.add_entry(Tracker(2))
        assert ids(cache.load_cache()) == [1, 2]
        clock.shift(1)
        assert ids(cache.load_cache()) == ids(cache.query()) == [2]
        assert ids(cache.query(Query("name", "old"))) == [] and not cache.find_entry({"id": 1})
        cache.add_entry(Tracker(1, "new"))
        assert cache.find_entry({"id": 1}) == Tracker(1, "new")
        cache.expire_after = None
        clock.shift(10**9)
        assert cache.load_cache() == [Tracker(2), Tracker(1, "new")]
        cache.expire_after = timedelta(seconds=5)
        assert cache.load_cache() == list(cache.query()) == []
        assert cache.expire_after == timedelta(seconds=5)


def test_nothing_is_kept(make: Make) -> None:
    """R2: with 0 nothing is kept, not even what is there and was overtaken."""
    cache = make()
    cache.keep_answer("old", [Tracker(1, "old"), Tracker(2)], Shape.LIST)
    cache.expire_after = 0
    assert cache.load_cache() == list(cache.query()) == [] and not cache.find_entry({"id": 1})
    assert cache.answer("old") is None
    cache.add_entry(Tracker(1, "new"))
    cache.keep_answer("new", [Tracker(3)], Shape.SINGLE)
    cache.expire_after = None
    assert ids(cache.load_cache()) == [2]
    assert cache.answer("new", expired=True) is None


@pytest.mark.parametrize("wrong", [-1, timedelta(seconds=-1), float("nan")])
def test_a_negative_expiry(make: Make, wrong: Any) -> None:
    """R2: a negative duration is refused, at once and later."""
    with pytest.raises(ValueError, match="not a duration"):
        make(wrong)
    cache = make(5)
    with pytest.raises(ValueError, match="not a duration"):
        cache.expire_after = wrong
    assert cache.expire_after == timedelta(seconds=5)


def test_dropped_in_the_end(make: Make) -> None:
    """What has been expired for a week is dropped from disk."""
    with time_machine.travel(NOON, tick=False) as clock:
        cache = make(60)
        cache.keep_answer("a", [Tracker(1)], Shape.SINGLE)
        clock.shift(60 + RecordCache.KEEP_EXPIRED)
        cache = make(60)
        for number in range(10, 2000):  # a journal's worth
            cache.add_entry(Tracker(number, "x" * 50)) if kind_is_json(cache) else None
        cache.add_entry(Tracker(2))
        cache.expire_after = None
        assert cache.find_entry({"id": 1}) is None
        assert cache.answer("a", expired=True) is None


def kind_is_json(cache: Any) -> bool:
    return isinstance(cache, JSONCache)


def test_unknown_fields(cache: RecordCache[Tracker]) -> None:
    """R5: a query for a field that isn't there names it, in both caches."""
    for key in ("nope", "client.name", "_record", "id; drop"):
        with pytest.raises(UnknownField, match=key):
            cache.query(Query(key, 1))


@pytest.mark.parametrize("value", [None, [], ["a"], (1,), {1}, {"a": 1}, Client(1, "x"), object])
@pytest.mark.parametrize("comparison", [one for one in Comparison if one is not Comparison.EQUAL])
def test_no_order(value: Any, comparison: Comparison) -> None:
    """R5: comparing with what has no order is a TypeError, before any cache is asked."""
    with pytest.raises(TypeError, match=r"order|can't be compared"):
        Query("name", value, comparison)


def test_whole_days(cache: RecordCache[Tracker]) -> None:
    """A date is compared as that whole day in UTC; a moment without a zone is in UTC."""
    east = timezone(timedelta(hours=5))
    cache.add_entry(
        Tracker(1, start=datetime(2025, 12, 31, 23, 59, 59, 999999)),
        Tracker(2, start=datetime(2026, 1, 1)),
        Tracker(3, start=datetime(2026, 1, 2, 4, 59, tzinfo=east)),
        Tracker(4, start=datetime(2026, 1, 2, 5, tzinfo=east)),
        Tracker(5),
    )
    expected = {
        Comparison.EQUAL: [2, 3],
        Comparison.LESS_THAN: [1],
        Comparison.LESS_THAN_OR_EQUAL: [1, 2, 3],
        Comparison.GREATER_THAN: [4],
        Comparison.GREATER_THAN_OR_EQUAL: [2, 3, 4],
    }
    day = date(2026, 1, 1)
    for comparison, found in expected.items():
        assert ids(cache.query(Query("start", day, comparison))) == found
    assert ids(cache.query(Query("start", [day, None]))) == [2, 3, 5]


def test_lists(cache: RecordCache[Tracker]) -> None:
    """A list is equal to any of its members, against a list field, too; an empty one to nothing."""
    cache.add_entry(Tracker(1, "a", tags=["x", "y"]), Tracker(2, "b", tags=["y"]), Tracker(3, "c"))
    assert ids(cache.query(Query("name", ["a", "c", "z"]))) == [1, 3]
    assert ids(cache.query(Query("tags", ["x", "z"]))) == [1]
    assert ids(cache.query(Query("tags", "y"))) == [1, 2]
    assert ids(cache.query(Query("name", []))) == ids(cache.query(Query("tags", []))) == []


@pytest.mark.parametrize(
    "make_ids", [lambda: range(1, 3), lambda: iter([1, 2]), {1: "a", 2: "b"}.keys]
)
def test_whatever_has_members_is_a_list(cache: RecordCache[Tracker], make_ids: Any) -> None:
    """A value may be any sequence, set or iterator, and a query can be asked twice."""
    cache.add_entry(*map(Tracker, range(4)))
    query = Query("id", make_ids())
    assert ids(cache.query(query)) == ids(cache.query(query)) == [1, 2]
    with pytest.raises(TypeError, match="no order"):
        Query("id", make_ids(), Comparison.LESS_THAN)


def test_a_comparison_is_one() -> None:
    """What is no Comparison is refused where the query is made, not where it is asked."""
    wrong: Any = ">="
    with pytest.raises(TypeError, match="no Comparison"):
        Query("id", 1, wrong)


def test_a_record_of_bytes(make: Make) -> None:
    """Bytes that are no text, which JSON can't hold, are refused when they are saved."""
    cache = make(model=Blob)
    with pytest.raises(UnstorableValue, match="Blob can't be kept"):
        cache.add_entry(Blob(1, b"\xff"))
    cache.add_entry(Blob(1, b"\x00a"))
    assert cache.load_cache() == [Blob(1, b"\x00a")]


def test_distinct(cache: RecordCache[Tracker]) -> None:
    """The first record is kept of those that are alike in the fields that are asked for."""
    cache.add_entry(Tracker(1, "a"), Tracker(2, "a"), Tracker(3, "b", seconds=5), Tracker(4, "b"))
    name = Query("name", ["a", "b"])
    assert ids(cache.query(name, distinct=True)) == [1, 3]
    seconds = Query("seconds", -1, Comparison.GREATER_THAN)
    assert ids(cache.query(name, seconds, distinct=True)) == [1, 3, 4]
    assert ids(cache.query(distinct=True)) == [1, 2, 3, 4]


def test_async_twins(make: Make) -> None:
    """Each async method does what its twin does, and the event loop goes on meanwhile."""

    async def use() -> None:
        cache = make()
        await cache.aadd_entry(Tracker(1), Tracker(2), Tracker(3))
        await cache.aupdate_entry(Tracker(1, "new"))
        await cache.adelete_entry({"id": 2})
        await cache.asave_cache([Tracker(4)], RequestMethod.POST)
        await cache.acommit()
        assert await cache.afind_entry({"id": 1}) == Tracker(1, "new")
        assert ids(await cache.aload_cache()) == [3, 1, 4]
        assert ids(await cache.aquery(Query("name", "new"))) == [1]
        await cache.akeep_answer("a", [Tracker(5)], Shape.LIST, "e", "l")
        await cache.aoutdate_answers()
        assert await cache.aanswer("a") is None
        await cache.aextend_answer("a")
        answer = await cache.aanswer("a")
        assert answer is not None and answer.value == [Tracker(5)]

    asyncio.run(use())


def test_an_async_call_waits_elsewhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a write waits for the disk, the event loop does other things."""
    import threading

    cache, may_write = make(), threading.Event()
    write = cache._write

    def wait_and_write(change: Any) -> None:
        assert may_write.wait(10)
        write(change)

    monkeypatch.setattr(cache, "_write", wait_and_write)

    async def use() -> None:
        saving = asyncio.create_task(cache.aadd_entry(Tracker(1)))
        await asyncio.sleep(0)
        may_write.set()  # which nobody could, were the loop waiting
        await saving

    asyncio.run(use())
    assert ids(cache.load_cache()) == [1]
