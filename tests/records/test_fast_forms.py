"""Short ways to a form beside the long one; many records at once beside each alone."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from cacheback_app.exceptions import UnstorableValue
from cacheback_app.records.forms import column_form, form, list_form, text_form
from cacheback_app.records.model import schema_of
from cacheback_app.records.values import comparable, members


class Nowhere(tzinfo):
    """A time zone that doesn't know its offset, as Python allows."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    dst = utcoffset

    def __repr__(self) -> str:
        return "Nowhere()"

    def tzname(self, moment: datetime | None) -> None:
        return None


@dataclass
class Measurement:
    id: int
    value: float | None = None


EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))
MOMENTS = [
    datetime.min,
    datetime.max,
    datetime.min.replace(tzinfo=EAST),
    datetime.max.replace(tzinfo=WEST),
    datetime(2026, 1, 1, 12, 30, 15, 7, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999),
    datetime(2026, 1, 1, tzinfo=Nowhere()),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=-1, microseconds=1))),
]
NUMBERS = [0, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, True, 0.5, -0.0, math.inf, math.nan]


@pytest.mark.parametrize("value", [*MOMENTS, *NUMBERS, None, "", "a\x00b\x01", "ä"], ids=repr)
def test_the_short_way_to_a_form_leads_to_the_same(value: Any) -> None:
    """R5: a value has one form, however often its type is met, alone and in a list."""
    assert column_form(value) == form(comparable(value))
    assert json.loads(list_form([value, [value]])) == list(
        map(text_form, members([value, [value]]))
    )


def test_no_number_is_lost_where_many_are_saved() -> None:
    """R5: NaN and infinities stay what they are beside records with a null."""
    numbers = [None, math.nan, math.inf, -math.inf, 1.5]
    given = [Measurement(n, number) for n, number in enumerate(numbers)]
    schema = schema_of(Measurement)
    found = [schema.decode(each.text).value for each in schema.encoded(given)]
    assert list(map(repr, found)) == list(map(repr, numbers))
    assert [each.text for each in schema.encoded(given)] == list(map(schema.encode, given))


def test_one_that_cannot_be_kept_is_named_among_many() -> None:
    """R6: nothing is encoded when one of many can't be, and the error is that of this one."""
    wrong: Any = Measurement(2, "much")  # type: ignore[arg-type]
    schema = schema_of(Measurement)
    with pytest.raises(UnstorableValue) as alone:
        schema.encoded([wrong])
    with pytest.raises(UnstorableValue) as among:
        schema.encoded([Measurement(1), wrong, Measurement(3)])
    assert str(among.value) == str(alone.value)
    stranger: Any = object()
    with pytest.raises(TypeError, match="is no Measurement"):
        schema.encoded([Measurement(1), stranger])
