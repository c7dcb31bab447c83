"""Arguments as JSON, and back. ``VALUES`` and ``same`` serve the tests of keys as well."""

import io
import json
import re
import string
import struct
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from functools import cached_property
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from typing import Any, Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.db.models import Manager
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st

from cacheback_app.engine import codec
from cacheback_app.engine.codec import dump, load
from cacheback_app.exceptions import MalformedCall
from tests.testapp.models import Author, Book, Genre

T = TypeVar("T")
Pair = namedtuple("Pair", "left right")
BERLIN = ZoneInfo("Europe/Berlin")


class Colour(Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Access(Flag):
    READ = 1
    WRITE = 2
    BOTH = 3
    OWN = 4


@dataclass
class Point:
    x: Any
    y: Any = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    x: Any
    tags: tuple[str, ...] = field(default=(), compare=False)


@dataclass
class Fussy:
    """Would not survive being initialised again."""

    x: Any

    def __post_init__(self) -> None:
        if isinstance(self.x, list):
            raise AssertionError("initialised again")
        self.x = [self.x]


@dataclass
class Box(Generic[T]):
    content: T

    @cached_property
    def size(self) -> int:
        return len(str(self.content))


class Annotated(Point):
    """No dataclass of its own: what it adds is no field."""

    note = ""


@dataclass
class Failure(Exception):
    code: int


@dataclass(slots=True)
class Unset:
    x: int = field(init=False)


class Outer:
    class Inner(Enum):
        A = "a"


class Trap:
    """No data: code of it that runs ends the test."""

    __members__ = {"A": "not an enum's"}

    def __new__(cls, *args: object) -> "Trap":
        pytest.fail("code of an arbitrary class ran")

    def __getattribute__(self, name: str) -> Any:
        pytest.fail("code of an arbitrary object ran")


class Traps:
    first = object.__new__(Trap)


TZ = st.none() | st.sampled_from(
    [UTC, BERLIN, timezone(timedelta(hours=2)), timezone(-timedelta(seconds=1), "x")]
)
FOLD = st.sampled_from([0, 1])
ALPHABET = st.sampled_from(" '\"\\,:x0a[](){}#\x00\x7f\né😀\ud83d\ude00")
TEXT = st.text(ALPHABET, max_size=3) | st.text(max_size=5)
HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.integers()
    | st.floats()
    | st.sampled_from([0, 0.0, -0.0, 1, 1.0, 2**53, 2**53 + 1, -(2**64)])
    | TEXT
    | st.binary(max_size=3)
    | st.complex_numbers()
    | st.builds(range, st.integers(0, 9), st.integers(0, 9), st.integers(1, 3))
    | st.dates()
    | st.builds(lambda it, tz, fold: it.replace(tzinfo=tz, fold=fold), st.datetimes(), TZ, FOLD)
    | st.builds(lambda it, tz, fold: it.replace(tzinfo=tz, fold=fold), st.times(), TZ, FOLD)
    | st.timedeltas()
    | TZ
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.sampled_from([*Colour, *Level, *Word, *Access, Access(0), Access.READ | Access.OWN])
    | st.builds(PurePosixPath, TEXT)
    | st.builds(PureWindowsPath, st.text(string.ascii_letters + "\\/:. ", max_size=9))
    | st.builds(PosixPath, TEXT),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.frozensets(inner, max_size=3)
        | st.builds(Frozen, inner, st.lists(TEXT, max_size=2).map(tuple))
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    HASHABLE | st.binary(max_size=3).map(bytearray) | st.just(Decimal("sNaN12")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Return whether no function could tell the two apart, but for identity and order of sets."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset, dict)):
        return _same_members(one, other)
    if isinstance(one, (datetime, time)):
        return (
            one.replace(tzinfo=None) == other.replace(tzinfo=None)
            and one.fold == other.fold
            and same(one.tzinfo, other.tzinfo)
        )
    if is_dataclass(one):
        return all(same(getattr(one, it.name), getattr(other, it.name)) for it in fields(one))
    if isinstance(one, int):
        return one == other
    # 0.0 and -0.0, the NaNs, Decimal("1") and Decimal("1.0"), time zones with names
    return repr(one) == repr(other)


def _same_members(one: Any, other: Any) -> bool:
    left, right = (list(it.items() if isinstance(it, dict) else it) for it in (one, other))
    for member in left:
        twins = [index for index, candidate in enumerate(right) if same(member, candidate)]
        if not twins:
            return False
        del right[twins[0]]
    return not right


def short(parameter: Any) -> str:
    """Return an id for a parametrized test, the same in every process; not every value has a safe
    ``repr``."""
    text = ascii(hex(parameter) if type(parameter) is int else parameter)
    return re.sub(" at 0x[0-9a-f]+", "", text)[:50]


def over_the_wire(value: Any) -> Any:
    return load(json.loads(json.dumps(dump(value))))


@settings(deadline=None, max_examples=500)
@given(VALUES)
def test_round_trip(value: Any) -> None:
    """Every supported value arrives as it was (J14)."""
    assert same(over_the_wire(value), value)


@pytest.mark.parametrize(
    "value",
    [
        (1, [2, (3,)]),
        {"a": {1, 2}, 3: frozenset({4}), (5,): None, None: b"6"},
        bytearray(b"\x00\xff"),
        2**53 + 1,
        10**5000,
        float("nan"),
        -float("inf"),
        -0.0,
        complex(-0.0, float("inf")),
        "\ud83d\ude00",
        "caf\udce9",
        "\x00",
        Decimal("1.10"),
        Decimal("-sNaN7"),
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5.5), "IST")),
        datetime.max,
        time(23, 59, fold=1),
        date.min,
        timedelta.min,
        UUID(int=7),
        range(9, 0, -2),
        PosixPath("caf\udce9"),
        PureWindowsPath("C:\\a b"),
        Colour.CRIMSON,
        Access.READ | Access.OWN,
        Access(0),
        Outer.Inner.A,
        Word.YES,
        Point([1], {"a": (2,)}),
        Frozen("x", ("y",)),
        Fussy(1),
        Box[int](5),
        {"t": "tuple", "v": [1]},
    ],
    ids=short,
)
def test_arrives_as_it_was(value: Any) -> None:
    """The awkward ones arrive as they were, type for type (J14)."""
    assert same(over_the_wire(value), value)


def test_utc_is_utc() -> None:
    """``datetime.timezone.utc`` arrives as the very same object (J14)."""
    assert over_the_wire(UTC) is UTC


def test_dict_order_is_kept() -> None:
    """A dict arrives in its own order (J14)."""
    assert list(over_the_wire({"b": 1, "a": 2})) == ["b", "a"]


@pytest.mark.parametrize("value", ["alice", 2026, -3, True, None, [], ["a", [1, None]]], ids=short)
def test_plain_json_stays_plain(value: Any) -> None:
    """What JSON has itself is sent as it is (J14)."""
    assert dump(value) == value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ((1, "a"), {"t": "tuple", "v": [1, "a"]}),
        ({"a": 1}, {"t": "dict", "v": [["a", 1]]}),
        (1.5, {"t": "float", "v": "1.5"}),
        (date(2026, 1, 31), {"t": "date", "v": "2026-01-31"}),
        (Colour.RED, {"t": "enum", "v": [f"{__name__}:Colour", "RED"]}),
        (Access.OWN, {"t": "enum", "v": [f"{__name__}:Access", "OWN"]}),
        (Access.READ | Access.OWN, {"t": "enum", "v": [f"{__name__}:Access", 5]}),
        (Point(1, 2), {"t": "dataclass", "v": [f"{__name__}:Point", ["x", 1], ["y", 2]]}),
    ],
    ids=short,
)
def test_format(value: Any, encoded: Any) -> None:
    """The format stays: messages in the queue survive an upgrade (J14)."""
    assert dump(value) == encoded


def test_cached_property_is_no_state() -> None:
    """What a dataclass has worked out does not matter; the other side works it out again (J14)."""
    box = Box(1234)
    assert box.size == 4
    assert vars(over_the_wire(box)) == {"content": 1234}


def _annotated() -> Annotated:
    point = Annotated(1, 2)
    point.note = "seen"
    return point


class Odd(tzinfo):
    """A time zone that only its author knows."""


def _keyless_zone() -> ZoneInfo:
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return ZoneInfo.from_file(io.BytesIO(b"TZif" + bytes(16) + counts + bytes(6) + b"UTC\0"))


def _local_enum() -> Enum:
    class Local(Enum):
        A = 1

    return Local.A


def _local_dataclass() -> Any:
    @dataclass
    class Local:
        x: int = 1

    return Local()


def _endless_list() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def _endless_dict() -> dict[str, Any]:
    endless: dict[str, Any] = {}
    endless["self"] = (endless,)
    return endless


def _deep() -> Any:
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    return deep


UNSUPPORTED: list[tuple[Callable[[], Any], str]] = [
    (object, "object is not supported"),
    (lambda: object, "type is not supported"),
    (lambda: Colour, "EnumType is not supported"),
    (lambda: len, "builtin_function_or_method is not supported"),
    (lambda: lambda: None, "function is not supported"),
    (lambda: Pair(1, 2), "Pair is not supported"),
    (lambda: SafeString("a"), "SafeString is not supported"),
    (OrderedDict, "OrderedDict is not supported"),
    (lambda: iter([]), "list_iterator is not supported"),
    (lambda: memoryview(b""), "memoryview is not supported"),
    (lambda: datetime(2026, 1, 1, tzinfo=Odd()), "Odd is not supported"),
    (_keyless_zone, "a ZoneInfo without a key"),
    (_local_enum, "Local is not supported.*cannot be imported"),
    (_local_dataclass, "Local is not supported.*cannot be imported"),
    (_annotated, "Annotated.note is no field"),
    (lambda: Failure(1), "Failure is not supported, being a built-in too"),
    (Unset, "Unset without x"),
    (_endless_list, "contains itself"),
    (_endless_dict, "contains itself"),
    (_deep, "nested too deeply"),
    (AnonymousUser, "AnonymousUser is not supported"),
    (lambda: SimpleLazyObject(AnonymousUser), "AnonymousUser is not supported"),
    (lambda: Author(name="a"), "an unsaved testapp.Author"),
    (lambda: Book(title="a"), "an unsaved testapp.Book"),
    (lambda: [{"a": (1, object())}], "object is not supported"),
]


@pytest.mark.parametrize(("make", "complaint"), UNSUPPORTED, ids=short)
def test_unsupported(make: Callable[[], Any], complaint: str) -> None:
    """Anything else is a ``TypeError`` that names the argument and ``key()`` (J13, J14)."""
    with pytest.raises(TypeError, match=rf"(?s)argument 'user': .*{complaint}.*key\(\)"):
        dump(make(), "user")


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Author, Genre, Book], ids=short)
def test_model_instance(model: Any) -> None:
    """A saved instance, whatever its key, is read again by it where it came from (J14)."""
    author = Author.objects.create(name="Ann")
    genre = Genre.objects.create(slug="crime story")
    book = Book.objects.create(title="Noon", author=author)
    saved = {Author: author, Genre: genre, Book: book}[model]
    arrived = over_the_wire(saved)
    assert (type(arrived), arrived.pk, arrived._state.db) == (model, saved.pk, "default")


@pytest.mark.django_db
def test_model_instance_is_read_anew() -> None:
    """The worker sees the row as it is by then, not as it was when the message was sent (J14)."""
    author = Author.objects.create(name="Ann")
    Author.objects.update(name="Anna")
    assert over_the_wire([author])[0].name == "Anna"


@pytest.mark.django_db
def test_wrapped_model_instance() -> None:
    """A lazy instance, as ``request.user`` is, is the instance itself (J13, J14)."""
    author = Author.objects.create(name="Ann")
    arrived = over_the_wire(SimpleLazyObject(lambda: author))
    assert type(arrived) is Author
    assert arrived == author


@pytest.mark.django_db
def test_model_instance_of_another_database() -> None:
    """The alias that an instance came from is asked again, and none but that (J14)."""
    author = Author.objects.create(name="Ann")
    author._state.db = "archive"
    with pytest.raises(MalformedCall):
        over_the_wire(author)


@pytest.mark.django_db
def test_model_instance_that_is_gone() -> None:
    """A row that was deleted meanwhile makes the call unreadable, with the reason chained (J14)."""
    author = Author.objects.create(name="Ann")
    encoded = dump(author)
    Author.objects.all().delete()
    with pytest.raises(MalformedCall, match=r"no such testapp\.Author in") as exc:
        load(encoded)
    assert isinstance(exc.value.__cause__, Author.DoesNotExist)


def test_database_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is down is not the message's fault: its error comes out as it is (J14)."""

    def using(self: Any, alias: str) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(Manager, "using", using)
    with pytest.raises(OperationalError):
        load({"t": "model", "v": ["testapp.Author", 1, "default"]})


MALFORMED: list[Any] = [
    1.5,
    {},
    {"t": "tuple"},
    {"t": "tuple", "v": [], "w": 1},
    {"t": "tuple", "v": "ab"},
    {"t": "Tuple", "v": []},
    {"t": [], "v": []},
    {"t": "int", "v": "ten"},
    {"t": "int", "v": 5},
    {"t": "str", "v": "!"},
    {"t": "bytes", "v": "a"},
    {"t": "set", "v": [[]]},
    {"t": "dict", "v": [["a"]]},
    {"t": "range", "v": [0, 1, 0]},
    {"t": "datetime", "v": ["2026-01-01T00:00:00", 2, None]},
    {"t": "datetime", "v": ["2026-01-01T00:00:00", 0, "UTC"]},
    {"t": "timedelta", "v": [10**10, 0, 0]},
    {"t": "timezone", "v": [3600]},
    {"t": "ZoneInfo", "v": "../../secret"},
    {"t": "ZoneInfo", "v": "Nowhere/Land"},
    {"t": "UUID", "v": "7"},
    {"t": "Decimal", "v": "ten"},
    {"t": "WindowsPath", "v": "C:\\"},
    {"t": "enum", "v": []},
    {"t": "enum", "v": [f"{__name__}:Colour", "GREEN"]},
    {"t": "enum", "v": [f"{__name__}:Colour", 1]},
    {"t": "enum", "v": [f"{__name__}:Colour", "__class__"]},
    {"t": "enum", "v": [f"{__name__}:Access", 64]},
    {"t": "enum", "v": [f"{__name__}:Point", "x"]},
    {"t": "enum", "v": [f"{__name__}:Trap", "A"]},
    {"t": "enum", "v": [f"{__name__}:Traps.first.A", "A"]},
    {"t": "enum", "v": [f"{__name__}:Trap", 1]},
    {"t": "enum", "v": ["os:system", "true"]},
    {"t": "enum", "v": [f"{__name__}:BERLIN.key", "x"]},
    {"t": "enum", "v": ["no.such.module:Colour", "RED"]},
    {"t": "enum", "v": [":Colour", "RED"]},
    {"t": "enum", "v": [f"{__name__}:", "RED"]},
    {"t": "enum", "v": [7, "RED"]},
    {"t": "dataclass", "v": [f"{__name__}:Trap"]},
    {"t": "dataclass", "v": [f"{__name__}:Colour"]},
    {"t": "dataclass", "v": ["subprocess:Popen", ["args", "true"]]},
    {"t": "dataclass", "v": [f"{__name__}:Point", ["x", 1]]},
    {"t": "dataclass", "v": [f"{__name__}:Point", ["x", 1], ["z", 2]]},
    {"t": "dataclass", "v": [f"{__name__}:Point", ["x", 1], ["y", 2], ["__class__", 3]]},
    {"t": "dataclass", "v": [f"{__name__}:Failure", ["code", 1]]},
    {"t": "model", "v": ["testapp.Author", 1]},
    {"t": "model", "v": ["testapp.Nothing", 1, "default"]},
    {"t": "model", "v": ["testapp.Author", "x", "default"]},
    {"t": "model", "v": ["testapp.Author", 10**30, "default"]},
    {"t": "model", "v": ["testapp.Author", [1], "default"]},
    {"t": "model", "v": ["testapp.Author", 1, "nowhere"]},
    {"t": "model", "v": [["testapp", "Author"], 1, "default"]},
]


@pytest.mark.django_db
@pytest.mark.parametrize("encoded", MALFORMED, ids=short)
def test_malformed(encoded: Any) -> None:
    """What ``dump`` never returns is refused, and runs nobody's code (J14, J15)."""
    with pytest.raises(MalformedCall):
        load(encoded)


def test_endlessly_nested_message() -> None:
    """Nesting without end is refused like any other nonsense (J14)."""
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(MalformedCall):
        load(nested)


def test_import_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that cannot be imported, for whatever reason, makes the call unreadable (J14)."""

    def fail(name: str) -> None:
        raise SyntaxError(name)

    monkeypatch.setattr("cacheback_app.engine.codec.import_module", fail)
    with pytest.raises(MalformedCall):
        load({"t": "enum", "v": [f"{__name__}:Colour", "RED"]})


TAGS = st.sampled_from(sorted(codec._BY_TAG))
PATHS = st.sampled_from(["Colour", "Access", "Point", "Frozen", "Trap", "T", "Outer.Inner"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | PATHS.map(lambda name: f"{__name__}:{name}")
    | st.sampled_from(["RED", "x", "testapp.Author", "default", "2026-01-01", "UTC", "0x1", "YQ=="])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.fixed_dictionaries({"t": TAGS | inner, "v": inner | st.lists(inner, max_size=4)})
    ),
    max_leaves=10,
)


@pytest.mark.django_db
@settings(deadline=None, max_examples=1000)
@given(JSON)
def test_any_json(encoded: Any) -> None:
    """Whatever JSON comes, it is read or it is a ``MalformedCall`` (J14)."""
    try:
        value = load(encoded)
    except MalformedCall:
        return
    assert same(load(dump(value)), value)
