"""R5: JSON, SQLite and a plain list give the same answers."""

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from cacheback_app.records import Comparison, JSONCache, Query, RecordCache, SqliteCache
from tests.records import plain
from tests.records.conftest import close
from tests.records.models import Client, Colour, Everything, Loose, endpoint_of

# Few different values, so that many are equal or nearly so, and hostile ones among them.
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "A",
        "ä",
        "a\x00",
        "a\x00b",
        "a\x01",
        "a%",
        "1",
        "\U0001f600",
        "\uffff",
        "red",
        "a'\"\\\t",
    ]
)
INTS = st.sampled_from(
    [
        0,
        1,
        -1,
        2**53,
        2**53 + 1,
        -(2**63),
        2**63 - 1,
        2**63,
        2**63 + 1,
        -(2**63) - 1,
        10**30,
        -(10**30),
        10**400,
    ]
) | st.integers(-3, 3)
FLOATS = st.sampled_from(
    [
        0.0,
        -0.0,
        0.1,
        1.0,
        -1.5,
        2.0**53,
        2.0**63,
        1e300,
        5e-324,
        float("inf"),
        float("-inf"),
        float("nan"),
    ]
)
DECIMALS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-3, max_value=3, places=1
) | st.sampled_from(
    list(
        map(
            Decimal,
            [
                "0.1",
                "1",
                "1.00",
                "-0",
                "1E+30",
                "1E-30",
                "-1E+400",
                "9007199254740993",
                "9007199254740993.5",
                "-9223372036854775809.5",
                "0.1000000000000000055511151231257827",
            ],
        )
    )
)
ZONES = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=11, minutes=30))]
)
MOMENTS = st.sampled_from(
    [
        "2025-12-31T23:59:59.999999",
        "2026-01-01T00:00:00",
        "2026-01-01T13:00:00",
        "2026-01-02T00:00:00",
        "2024-02-29T12:00:00.000001",
        "0001-01-03T00:00:00",
        "9999-12-30T23:59:59.999999",
    ]
).flatmap(lambda text: ZONES.map(lambda zone: datetime.fromisoformat(text).replace(tzinfo=zone)))
DAYS = MOMENTS.map(lambda moment: moment.date())
CLOCKS = MOMENTS.map(lambda moment: moment.time())
LENGTHS = st.sampled_from(
    [
        timedelta(),
        timedelta(microseconds=1),
        timedelta(microseconds=-1),
        timedelta(days=-400, seconds=5),
        timedelta.max,
        timedelta.min,
    ]
)
CODES = st.sampled_from([UUID(int=number) for number in (0, 1, 2**64, 2**127)])
COLOURS = st.sampled_from(Colour)
CLIENTS = st.builds(Client, st.integers(1, 2), TEXTS)
PLAIN = st.none() | st.booleans() | INTS | FLOATS.filter(math.isfinite) | TEXTS
"""What JSON can hold, and so a field that says nothing of its type."""
VALUES = st.one_of(PLAIN, FLOATS, DECIMALS, MOMENTS, DAYS, CLOCKS, LENGTHS, CODES, COLOURS, CLIENTS)

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "count": INTS,
    "ratio": FLOATS,
    "amount": DECIMALS,
    "flag": st.booleans(),
    "name": TEXTS,
    "moment": MOMENTS,
    "day": DAYS,
    "clock": CLOCKS,
    "length": LENGTHS,
    "code": CODES,
    "colour": COLOURS,
    "client": CLIENTS,
}
LISTS = {
    "tags": st.lists(TEXTS, max_size=3),
    "numbers": st.lists(DECIMALS, max_size=3),
    "moments": st.lists(MOMENTS, max_size=2),
    "anything": PLAIN | st.lists(PLAIN, max_size=3),
}
RECORDS = st.lists(
    st.builds(
        Everything,
        id=st.integers(0, 8) | INTS,
        **{name: st.none() | values for name, values in KINDS.items()},
        **LISTS,
    ),
    max_size=8,
)


@st.composite
def queries(draw: st.DrawFn) -> Query[Any]:
    """Draw a query for a value of the field's kind, or of any other."""
    key = draw(st.sampled_from([field.name for field in fields(Everything)]))
    values = KINDS.get(key, VALUES) | VALUES
    value = draw(values | st.lists(values, max_size=3))
    try:
        return Query(key, value, draw(st.sampled_from(Comparison)))
    except TypeError:
        return Query(key, value)


def shown(record: Everything) -> str:
    """Return a record as text that tells all values apart, but not how a time zone is named."""
    aware = [record.moment, *record.moments, record.clock]
    plain_record = replace(record, moment=None, moments=[], clock=None)
    return f"{plain_record!r} {[each and each.isoformat() for each in aware]}"


@pytest.fixture(scope="module")
def caches() -> Iterator[list[RecordCache[Any]]]:
    """A cache of each kind."""
    with TemporaryDirectory() as folder:
        made: list[RecordCache[Any]] = [
            cls(Path(folder), None, endpoint_of(Everything)) for cls in (JSONCache, SqliteCache)
        ]
        yield made
        close(*made)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=RECORDS, asked=st.lists(queries(), max_size=3), distinct=st.booleans())
def test_the_same_answers(
    caches: list[RecordCache[Any]],
    records: list[Everything],
    asked: list[Query[Any]],
    distinct: bool,
) -> None:
    """R5: the two caches find what Python finds in a list, in the order of saving."""
    last = {record.id: number for number, record in enumerate(records)}
    kept = [records[number] for number in sorted(last.values())]
    expected = list(map(shown, plain.find(kept, asked, distinct=distinct)))
    for cache in caches:
        cache.delete_entry(*cache.load_cache())
        cache.add_entry(*records)
        assert list(map(shown, cache.load_cache())) == list(map(shown, kept))
        found = list(cache.query(*asked, distinct=distinct))
        assert list(map(shown, found)) == expected, (type(cache).__name__, asked)


NUMBERS = [
    *(0, True, 1.5, 2**53 + 1, 2.0**53, 2**63, -(2**63) - 1, 10**30, 1e30, float("inf")),
    *map(Decimal, ["0.1", "0.10000000000000001", "-0.1", "9007199254740992.5", "1E-30"]),
    *(0.1, -0.1, float("nan"), float("-inf")),
]
NEW_YEAR = datetime(2026, 1, 1)
TIMES = [
    *(NEW_YEAR + timedelta(microseconds=n) for n in (-1, 0, 1)),
    *((NEW_YEAR + timedelta(days=n)).date() for n in (-1, 0, 1)),
    NEW_YEAR.replace(tzinfo=timezone(timedelta(hours=-5))),
]
PAIRS = {
    **dict.fromkeys(("count", "ratio", "amount", "flag", "numbers", "anything"), NUMBERS),
    **dict.fromkeys(("moment", "day", "moments"), TIMES),
}


@pytest.mark.parametrize("key", PAIRS)
def test_every_pair(caches: list[RecordCache[Any]], key: str) -> None:
    """R5: every comparison of neighbouring numbers, or of days and moments, is Python's."""
    records = [
        record
        for number, value in enumerate(PAIRS[key])
        if (record := valid(caches[0], Everything(number, **{key: value})))
        or (record := valid(caches[0], Everything(number, **{key: [value]})))
    ]
    assert records
    for cache in caches:
        cache.delete_entry(*cache.load_cache())
        cache.add_entry(*records)
    for value in PAIRS[key]:
        for comparison in Comparison:
            query = Query(key, value, comparison)
            expected = [record.id for record in plain.find(records, [query])]
            for cache in caches:
                assert [record.id for record in cache.query(query)] == expected, query


LOOSE: dict[str, list[Any]] = {
    "any": [1, [1], [1, 2], [], None, [None], "a", ["a", 1], True, {"a": 1}, [{"a": 1}]],
    "optional": [1, [1], [2, 1], None, [None], [[1]], ["a"]],
    "union": [1, [1], [1, 1], [], None, 2],
    "several": [[1], [[1]], [None], [], [{"a": 1}, "a"]],
}


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("key", LOOSE)
def test_a_field_may_hold_a_list_or_not(tmp_path: Path, key: str, distinct: bool) -> None:
    """R5: whatever a field's type says of it, a list has members, and is not its only one."""
    records = [Loose(number, **{key: value}) for number, value in enumerate(LOOSE[key])]
    json, sqlite = (cls(tmp_path, None, endpoint_of(Loose)) for cls in (JSONCache, SqliteCache))
    for cache in (json, sqlite):
        cache.add_entry(*records)
        assert cache.load_cache() == records
    for value in (1, "a", None, {"a": 1}, [1, None], [[1]], [2, "a"]):
        for comparison in Comparison:
            try:
                query = Query(key, value, comparison)
            except TypeError:
                continue
            found = [record.id for record in sqlite.query(query, distinct=distinct)]
            assert found == [record.id for record in json.query(query, distinct=distinct)], query
            if not isinstance(value, dict):  # of which the plain list makes no difference
                expected = plain.find(records, [query], distinct=distinct)
                assert found == [record.id for record in expected], query
    close(sqlite)


def valid(cache: RecordCache[Any], record: Everything) -> Everything | None:
    """Return a record as it would be kept, None when it wouldn't."""
    try:
        (kept,) = cache.schema.encoded([record])
    except TypeError:
        return None
    return kept.record  # type: ignore[no-any-return]
