"""What the library does that records come from, and this one must not; R2 to R5 where it breaks.

Of its ten, the endpoint's three (POST and DELETE that never reach the cache, one list that answers
every request) are proven with the cache's part of them here, and over HTTP with the endpoint.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine

from cacheback_app.records import JSONCache, Query, RequestMethod, Shape
from tests.records.conftest import Make
from tests.records.models import Tracker, endpoint_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_max_length_kept_the_oldest(tmp_path: Path) -> None:
    """R4: what was just added is kept, the oldest goes."""
    cache: JSONCache[Tracker] = JSONCache(tmp_path, None, endpoint_of(Tracker), max_length=2)
    for number in range(5):
        cache.add_entry(Tracker(number))
    assert cache.load_cache() == [Tracker(3), Tracker(4)]


def test_two_writers_lost_records(make: Make) -> None:
    """R3: of two that both have the cache open, neither loses or revives what the other did."""
    one, two = make(), make()
    one.add_entry(Tracker(1), Tracker(2))
    two.load_cache()
    one.delete_entry(Tracker(1))
    two.add_entry(Tracker(3))
    two.commit()
    one.commit()
    assert one.load_cache() == two.load_cache() == make().load_cache() == [Tracker(2), Tracker(3)]


def test_load_forgot_the_expiry(make: Make) -> None:
    """R2: loading leaves out what has expired."""
    with time_machine.travel(NOON, tick=False) as clock:
        cache = make(10)
        cache.add_entry(Tracker(1))
        clock.shift(11)
        assert cache.load_cache() == []


def test_adding_over_an_expired_id(make: Make) -> None:
    """R2: an expired record is replaced, without an error."""
    with time_machine.travel(NOON, tick=False) as clock:
        cache = make(10)
        cache.add_entry(Tracker(1, "old"))
        clock.shift(11)
        cache.add_entry(Tracker(1, "new"))
        assert cache.load_cache() == [Tracker(1, "new")]


def test_zero_seconds_still_answered(make: Make) -> None:
    """R2: with 0 seconds there is never an answer."""
    cache = make(0)
    cache.keep_answer("a", [Tracker(1)], Shape.LIST)
    assert cache.answer("a") is None and cache.load_cache() == []
    assert cache.answer("a", expired=True) is None


def test_a_date_matched_nothing(make: Make) -> None:
    """R5: a date is equal to every moment of its day."""
    cache = make()
    cache.add_entry(Tracker(1, start=NOON))
    assert list(cache.query(Query("start", date(2026, 1, 1)))) == [Tracker(1, start=NOON)]


def test_a_truncated_file_crashed(make: Make) -> None:
    """R3: a truncated file is set aside."""
    cache = make()
    cache.add_entry(Tracker(1))
    cache.cache_path.write_bytes(cache.cache_path.read_bytes()[:40])
    again = make()
    again.load_cache()
    again.add_entry(Tracker(2))
    assert again.find_entry({"id": 2}) == Tracker(2)


@pytest.mark.parametrize("method", [RequestMethod.POST, RequestMethod.DELETE])
def test_methods_that_changed_nothing(make: Make, method: RequestMethod) -> None:
    """POST and DELETE reach the cache."""
    cache = make()
    cache.add_entry(Tracker(1, "old"))
    cache.save_cache(Tracker(1, "new"), method)
    assert cache.load_cache() == ([Tracker(1, "new")] if method is RequestMethod.POST else [])


def test_one_list_answered_all(make: Make) -> None:
    """R7: a list that is kept for one request is no answer to another."""
    cache = make()
    cache.keep_answer("GET /a", [Tracker(1)], Shape.LIST)
    assert cache.answer("GET /b") is None and cache.answer("GET /b", expired=True) is None
