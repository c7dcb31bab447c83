"""Many records at once beside each alone: what is not read again is what a reader would get."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum
from typing import Annotated, Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from cacheback_app.exceptions import UnstorableValue
from cacheback_app.records import Indexed
from cacheback_app.records.columns import column_forms, list_forms
from cacheback_app.records.forms import column_form, list_form
from cacheback_app.records.model import Schema, schema_of
from cacheback_app.records.sqlite_tables import Tables
from tests.records.models import Client, Person, Tracker
from tests.records.test_agreement import FLOATS, INTS, TEXTS
from tests.records.test_fast_forms import MOMENTS, NUMBERS

UTC_MOMENTS = [moment for moment in MOMENTS if moment.tzinfo in (None, UTC)]


@dataclass
class Sample:
    """A field of each type that JSON gives back as it was."""

    id: int
    text: Annotated[str | None, Indexed()] = None
    number: int | None = None
    ratio: float | None = None
    flag: bool | None = None
    moment: datetime | None = None
    day: date | None = None
    texts: list[str] = field(default_factory=list)
    numbers: list[int | None] | None = None
    moments: list[list[datetime]] = field(default_factory=list)


class SampleModel(BaseModel):
    """The same of pydantic."""

    id: str
    text: str | None = Field(None, alias="otherName")
    texts: Annotated[list[str], Indexed()] = []


TEXT = TEXTS | st.text(st.characters(codec="utf-8"))
MOMENT = st.sampled_from(UTC_MOMENTS) | st.datetimes(timezones=st.just(UTC)) | st.datetimes()
SAMPLES = st.builds(
    Sample,
    id=INTS,
    text=st.none() | TEXT,
    number=st.none() | INTS | st.booleans(),
    ratio=st.none() | FLOATS | st.floats() | st.integers(-3, 3),
    flag=st.none() | st.booleans(),
    moment=st.none() | MOMENT | st.sampled_from(MOMENTS),
    day=st.none() | st.dates(),
    texts=st.lists(TEXT, max_size=3),
    numbers=st.none() | st.lists(st.none() | INTS, max_size=3),
    moments=st.lists(st.lists(MOMENT, max_size=2), max_size=2),
)


def rows(schema: Schema[Any], records: list[Any]) -> list[Any]:
    return list(Tables(schema).rows(schema.encoded(records), 1.0)) if records else []


@given(st.lists(SAMPLES, max_size=4))
@example([Sample(1), Sample(2, "a", 1, 0.5, True, datetime.max, date.min, ["a"])])
def test_many_at_once_are_as_each_alone(records: list[Sample]) -> None:
    """R5: text and columns of many records are those of each, with the very same types."""
    schema = schema_of(Sample)
    alone = [row for record in records for row in rows(schema, [record])]
    assert list(map(repr, rows(schema, records))) == list(map(repr, alone))


@given(st.lists(st.builds(SampleModel, id=TEXT, otherName=TEXT, texts=st.lists(TEXT)), max_size=3))
def test_many_of_pydantic_at_once_are_as_each_alone(records: list[SampleModel]) -> None:
    """R5: the same for models of pydantic, whose fields may have an alias."""
    schema = schema_of(SampleModel)
    alone = [row for record in records for row in rows(schema, [record])]
    assert rows(schema, records) == alone


VALUES = [
    *MOMENTS,
    *NUMBERS,
    None,
    "",
    "a\x00b\x01",
    "ä",
    'a"\\',
    0.5,
    float("nan"),
    Client(1, "a"),
]


@given(st.lists(st.sampled_from(VALUES), max_size=4))
def test_the_forms_of_a_column_are_those_of_its_values(values: list[Any]) -> None:
    """R5: a value has one form, whatever is beside it."""
    for kind in {type(value) for value in values}:
        one_type = [value for value in values if type(value) is kind]
        assert column_forms(one_type) == list(map(column_form, one_type))
        lists = [one_type[:1], [], one_type]
        assert list_forms(lists) == list(map(list_form, lists))
    assert column_forms(values) == list(map(column_form, values))
    assert list_forms([values, values[1:]]) == [list_form(values), list_form(values[1:])]
    assert list_forms(values) == list(map(list_form, values))


def is_read(schema: Schema[Any], records: list[Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether records are read again when they are encoded."""
    calls: list[Any] = []
    load = schema._load_all

    def counted(texts: Any, **options: Any) -> Any:
        calls.append(texts)
        return load(texts, **options)

    monkeypatch.setattr(schema, "_load_all", counted)
    assert len(schema.encoded(records)) == len(records)
    return bool(calls)


def test_what_can_only_come_back_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: records whose values have the types of their fields aren't read again, to be fast."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    simple = [Sample(1), Sample(2, "a", 1, 0.5, True, now, now.date(), ["a"], [1, None], [[now]])]
    assert not is_read(schema_of(Sample), simple, monkeypatch)
    models = [SampleModel(id="1"), SampleModel(id="2", otherName="a", texts=["b"])]
    assert not is_read(schema_of(SampleModel), models, monkeypatch)
    assert not is_read(schema_of(Tracker), [Tracker(1, "", now), Tracker(2)], monkeypatch)


class Level(IntEnum):
    LOW = 1


class SubTracker(Tracker):
    """A record of a class of its own."""


OTHERS = [
    Tracker(2, seconds=True),
    Tracker(2, seconds=Level.LOW),
    Tracker(2, start=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    Tracker(2, seconds=2**63),
    Tracker(2, tags=("a",)),  # type: ignore[arg-type]
    SubTracker(2),
]


@pytest.mark.parametrize("record", OTHERS, ids=repr)
def test_what_may_come_back_otherwise(record: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """R5: a value of another type, or that JSON may change, is read again with all others."""
    try:
        assert is_read(schema_of(Tracker), [Tracker(1), record], monkeypatch)
    except UnstorableValue:  # which is told when it is alone
        with pytest.raises(UnstorableValue):
            schema_of(Tracker).encoded([record])


def test_no_infinity_is_taken_for_simple(monkeypatch: pytest.MonkeyPatch) -> None:
    """R5: NaN and infinities, which pydantic's JSON has as null, are looked at closely."""
    for number in (float("nan"), float("inf")):
        assert is_read(schema_of(Sample), [Sample(1), Sample(2, ratio=number)], monkeypatch)


def positive(value: int) -> int:
    if value <= 0:
        raise ValueError("not positive")
    return value


@dataclass
class Checked:
    id: int

    def __post_init__(self) -> None:
        positive(self.id)


@dataclass
class Validated:
    id: Annotated[int, AfterValidator(positive)]


class Constrained(BaseModel):
    id: int = Field(gt=0)


class Configured(BaseModel):
    model_config = ConfigDict(str_min_length=1)
    id: str


@pytest.mark.parametrize(
    ("model", "wrong"), [(Checked, 0), (Validated, 0), (Constrained, 0), (Configured, "")]
)
def test_a_model_with_rules_of_its_own(model: Callable[..., Any], wrong: Any) -> None:
    """R6: what breaks a model's own rules is refused, also among many, though its type is right."""
    right = type(wrong)(1)
    records = [model(id=right), model(id=right)]
    records[1].id = wrong
    schema: Schema[Any] = schema_of(model)  # type: ignore[arg-type]
    with pytest.raises(UnstorableValue):
        schema.encoded(records)


class Serialized(BaseModel):
    id: int
    name: Annotated[str, PlainSerializer(lambda value: value.upper())]


class Excluded(BaseModel):
    id: int
    name: str = Field("default", exclude=True)


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: int
    name: str


@pytest.mark.parametrize("model", [Serialized, Excluded, Extra, Person])
def test_a_model_that_is_written_otherwise(
    model: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: where a model has a say in what is written, it is read again."""
    identifier: Any = "1" if model is Person else 1
    records = [model(id=identifier, name="a"), model(id=identifier, name="b")]
    schema: Schema[Any] = schema_of(model)  # type: ignore[arg-type]
    assert is_read(schema, records, monkeypatch)
    alone = [row for record in records for row in rows(schema, [record])]
    assert rows(schema, records) == alone
