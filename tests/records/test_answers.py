"""What is kept of a server's answers."""

from datetime import UTC, datetime

import pytest
import time_machine

from cacheback_app.records import JSONCache, RecordCache, Shape
from tests.records.conftest import Make
from tests.records.models import Tracker

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_one_answer_is_not_another(cache: RecordCache[Tracker], make: Make) -> None:
    """R7: an answer is given to the request that it was kept for, and to no other."""
    cache.keep_answer("all", [Tracker(2), Tracker(1)], Shape.LIST, "etag", "yesterday")
    cache.keep_answer("one", [Tracker(1)], Shape.SINGLE)
    cache.keep_answer("none", [], Shape.NONE)
    cache.keep_answer("empty", [], Shape.LIST)
    for reader in (cache, make()):
        found = reader.answer("all")
        assert found is not None and found.value == [Tracker(2), Tracker(1)] and found.is_fresh
        assert (found.etag, found.last_modified) == ("etag", "yesterday")
        values = [
            answer and answer.value for answer in map(reader.answer, ("one", "none", "empty"))
        ]
        assert values == [Tracker(1), None, []]
        assert reader.answer("other") is None


def test_the_records_are_those_of_now(cache: RecordCache[Tracker]) -> None:
    """A record that was updated is the new one in all answers; a deleted one leaves them."""
    cache.keep_answer("all", [Tracker(1), Tracker(2), Tracker(3)], Shape.LIST)
    cache.keep_answer("one", [Tracker(2)], Shape.SINGLE)
    cache.update_entry(Tracker(1, "new"))
    cache.delete_entry({"id": 2})
    found = cache.answer("all")
    assert found is not None and found.value == [Tracker(1, "new"), Tracker(3)]
    assert cache.answer("one", expired=True) is None


def test_expired_and_confirmed(make: Make) -> None:
    """R6: an expired answer is there for an outage; what the server confirms is fresh again."""
    with time_machine.travel(NOON, tick=False) as clock:
        cache = make(60)
        cache.keep_answer("all", [Tracker(1), Tracker(2)], Shape.LIST, "etag")
        clock.shift(60)
        assert cache.answer("all") is None and cache.load_cache() == []
        old = cache.answer("all", expired=True)
        assert old is not None and old.value == [Tracker(1), Tracker(2)] and not old.is_fresh
        assert old.etag == "etag" and old.saved_at == NOON.timestamp()
        cache.extend_answer("all")
        for reader in (cache, make(60)):
            new = reader.answer("all")
            assert new is not None and new.is_fresh and new.saved_at == NOON.timestamp() + 60
            assert reader.load_cache() == [Tracker(1), Tracker(2)]
        cache.extend_answer("unknown")
        assert cache.answer("unknown", expired=True) is None


def test_outdated(cache: RecordCache[Tracker], make: Make) -> None:
    """After a change at the server an answer is asked for again, but still there for an outage."""
    cache.keep_answer("all", [Tracker(1)], Shape.LIST, "etag")
    cache.outdate_answers()
    for reader in (cache, make()):
        assert reader.answer("all") is None
        old = reader.answer("all", expired=True)
        assert old is not None and old.etag == "etag" and not old.is_fresh
        assert reader.load_cache() == [Tracker(1)]
    cache.keep_answer("all", [Tracker(1), Tracker(2)], Shape.LIST)
    assert cache.answer("all") is not None


def test_replaced(cache: RecordCache[Tracker]) -> None:
    """A later answer to the same request takes the place of the earlier one; records stay."""
    cache.keep_answer("all", [Tracker(1), Tracker(2)], Shape.LIST)
    cache.keep_answer("all", [Tracker(2)], Shape.LIST)
    found = cache.answer("all")
    assert found is not None and found.value == [Tracker(2)]
    assert cache.load_cache() == [Tracker(1), Tracker(2)]


def test_saved_together(cache: RecordCache[Tracker]) -> None:
    """R6: an answer with one bad record changes nothing at all."""
    cache.keep_answer("all", [Tracker(1)], Shape.LIST)
    with pytest.raises(TypeError, match="name"):
        cache.keep_answer("all", [Tracker(2), Tracker(3, name=5)], Shape.LIST)  # type: ignore[arg-type]
    found = cache.answer("all")
    assert found is not None and found.value == [Tracker(1)]
    assert cache.load_cache() == [Tracker(1)]


@pytest.mark.parametrize("kind", ["JSONCache"], indirect=True)
def test_evicted(make: Make) -> None:
    """R4: an answer of which a record was dropped for newer ones is no answer any more."""
    cache = make(max_length=3)
    assert isinstance(cache, JSONCache)
    cache.keep_answer("two", [Tracker(1), Tracker(2)], Shape.LIST)
    cache.add_entry(Tracker(3))
    assert cache.answer("two") is not None
    cache.add_entry(Tracker(4))
    assert cache.answer("two", expired=True) is None
    cache.keep_answer("many", [Tracker(n) for n in range(4)], Shape.LIST)
    assert cache.answer("many", expired=True) is None and len(cache.load_cache()) == 3
