"""Cache keys."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cacheback_app.engine.keys import make, remembered, versioned
from tests.engine.test_codec import (
    BERLIN,
    UNSUPPORTED,
    VALUES,
    Access,
    Colour,
    Frozen,
    Level,
    Point,
    Word,
    same,
    short,
)
from tests.testapp.models import Author, Book, Novel

PATH = "shop.Report"
# Few and alike, so that many of the pairs drawn from them are equal, or nearly.
ALIKE = st.recursive(
    st.sampled_from([0, 1, 1.0, 0.0, -0.0, True, None, "", "1", "a", "'", ",", ":", "a b", b"1"])
    | st.text("a:', \\\"[](){}#\n", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.builds(lambda key, value: {key: value}, st.sampled_from(["a", 1, True]), inner)
        | st.builds(Point, inner)
    ),
    max_leaves=3,
)


def key(*values: Any, prefix: str = PATH) -> str:
    return make(prefix, values, [f"argument {position}" for position in range(len(values))])


def script(code: str, **environment: str) -> str:
    """Return what ``code`` prints in a new process that has no settings."""
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), "shop.Report"),
        (("alice", 2026), "shop.Report:'alice',2026"),
        ((-1, True, None, ""), "shop.Report:-1,True,None,''"),
        (("two words", "it's", "é\n"), r"""shop.Report:'two\x20words',"it's",'\xe9\n'"""),
        ((2**53,), "shop.Report:9007199254740992"),
        (([1, [2]],), "shop.Report:[1,[2]]"),
        (((1,), 1.5), "shop.Report:tuple([1]),float('1.5')"),
        (({"b": 1, "a": {2}},), "shop.Report:dict([['a',set([2])],['b',1]])"),
        ((date(2026, 1, 31),), "shop.Report:date('2026-01-31')"),
        ((UUID(int=7),), "shop.Report:UUID('00000000-0000-0000-0000-000000000007')"),
        ((Colour.RED,), "shop.Report:enum(['tests.engine.test_codec:Colour','RED'])"),
        (("x" * 200,), "shop.Report:#8114ceebfcc1753649a425917693558afc69c69c"),
    ],
    ids=short,
)
def test_format(values: tuple[Any, ...], expected: str) -> None:
    """Keys read like the call, and stay: an upgrade does not empty the cache (J13)."""
    assert key(*values) == expected


DIFFERENT = [
    (),
    (1,),
    ("1",),
    (True,),
    (1.0,),
    (1 + 0j,),
    (Decimal(1),),
    (None,),
    ("None",),
    ("",),
    (0,),
    (False,),
    ("a:b", "c"),
    ("a", "b:c"),
    ("a,b",),
    ("a", "b"),
    ("a','b",),
    ("a b",),
    ("a\\x20b",),
    ("a\\ b",),
    ([1],),
    ((1,),),
    ({1},),
    (frozenset({1}),),
    ([True],),
    (["1"],),
    (["True"],),
    ({1: None},),
    ({"a": 1},),
    ({"a": "1"},),
    ([["a", 1]],),
    ((("a", 1),),),
    ("dict([['a',1]])",),
    (b"1",),
    (bytearray(b"1"),),
    (range(1),),
    ([],),
    ((),),
    ({},),
    (set(),),
    ("😀",),
    ("\ud83d\ude00",),
    (["😀"],),
    (["\ud83d\ude00"],),
    (2**53,),
    (10**5000,),
    (10**5000 + 1,),
    ("x" * 500,),
    ("x" * 501,),
    (date(2026, 1, 1),),
    (datetime(2026, 1, 1),),
    (datetime(2026, 1, 1, fold=1),),
    (datetime(2026, 1, 1, tzinfo=UTC),),
    (datetime(2026, 1, 1, 1, tzinfo=BERLIN),),
    (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),),
    (time(1),),
    (timedelta(hours=1),),
    (UTC,),
    (BERLIN,),
    (UUID(int=1),),
    (str(UUID(int=1)),),
    (Colour.RED,),
    (Level.LOW,),
    (Word.YES,),
    ("yes",),
    (Access.READ,),
    (Access.READ | Access.OWN,),
    (PurePosixPath("a"),),
    (PosixPath("a"),),
    (PureWindowsPath("a"),),
    (Point(1),),
    (Point(1, 2),),
    (Frozen(1),),
    (Frozen(1, ("a",)),),
]


def test_different_arguments() -> None:
    """What differs by value or by type never shares a key (J13)."""
    for one, other in itertools.combinations(DIFFERENT, 2):
        assert key(*one) != key(*other), (one, other)


@settings(deadline=None, max_examples=1000)
@given(st.lists(ALIKE, max_size=2).map(tuple), st.lists(ALIKE, max_size=2).map(tuple))
@example(("\ud83d\ude00",), ("😀",))
def test_one_key_per_call(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """Two calls share a key when, and only when, their arguments are the same (J13)."""
    assert (key(*one) == key(*other)) == same(one, other)


def test_many_arguments() -> None:
    """However many arguments there are, each of them counts (J13)."""
    keys = {key(*range(count)) for count in range(30)}
    assert len(keys | {key(*range(9), 0)}) == 31


def test_arguments_without_a_name() -> None:
    """No argument is left out of the key for want of a name (J13)."""
    with pytest.raises(ValueError, match="shorter"):
        make(PATH, ([1], [2]), ("year",))


def test_remembered_keys() -> None:
    """A remembered key is the key that was made, for arguments of its very types (J13)."""
    known = remembered(lambda path, *values: key(*values, prefix=path), skip=1)
    for values in [("a", 1), ("a", True), ("a", None), ("a", "1"), ("a", 1)]:
        assert known(PATH, *values) == key(*values)
    assert known("shop.Other", "a", 1) != known(PATH, "a", 1)


@pytest.mark.parametrize("value", [1.0, (1,), SafeString("a"), Level.LOW, []], ids=short)
def test_remembers_scalars_only(value: Any) -> None:
    """What equals something of another type, inside or as a whole, is not remembered (J13)."""
    with pytest.raises(TypeError):
        remembered(key, skip=0)(value)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_one_key_per_value(one: Any, other: Any) -> None:
    """So it is with arguments of every supported type, and with long ones (J13)."""
    assert (key(one) == key(other)) == same(one, other)
    padding = "x" * 200
    assert (key(one, padding) == key(other, padding)) == same(one, other)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=3), st.text(max_size=30).map(lambda text: PATH + text))
def test_fits_everywhere(values: list[Any], prefix: str) -> None:
    """A key is at most 200 printable ASCII characters, without spaces, and starts with the path,
    so memcached takes it, too (J13).
    """
    made = key(*values, prefix=prefix)
    assert made.startswith(PATH)
    assert len(made) <= 200
    assert all("!" <= character <= "~" for character in made)


@pytest.mark.parametrize("length", range(180, 200))
def test_length_is_bounded_exactly(length: int) -> None:
    """The readable form is kept up to 200 characters (J13)."""
    for text, written in [("x" * length, length + 2), (["x" * (length - 2)], length + 2)]:
        whole = len(f"{PATH}:") + written
        assert ("#" in key(text)) == (whole > 200)


@given(st.dictionaries(st.text() | st.integers(), st.integers(), min_size=2), st.randoms())
def test_order_does_not_matter(mapping: dict[Any, int], random: Any) -> None:
    """Dicts and sets have one key, whatever order they were filled in (J13)."""
    items = list(mapping.items())
    random.shuffle(items)
    assert key(mapping, set(mapping)) == key(dict(items), {name for name, _ in items})


def test_order_does_not_matter_inside() -> None:
    """Nor does order matter in what is nested (J13)."""
    one = [{"a": frozenset(["x", "y"]), "b": 2}]
    assert key(one) == key([{"b": 2, "a": frozenset(["y", "x"])}])


@pytest.mark.parametrize("prefix", ["x" * 141, "x" * 500, "shop.Größe", "shop.Re port", "a\x00"])
def test_awkward_path(prefix: str) -> None:
    """A path that is too long or not printable is cut, but still begins and tells the key (J13)."""
    made = {key(prefix=prefix), key(1, prefix=prefix), key("y" * 200, prefix=prefix)}
    assert len(made) == 3
    assert all(len(it) <= 200 and it.isascii() and it.isprintable() for it in made)
    assert all(it[0] == prefix[0] and " " not in it for it in made)
    assert made.isdisjoint({key(prefix=prefix + "x"), key(prefix=prefix[:-1])})


def test_versions() -> None:
    """A version is part of the key, and its absence too (J13)."""
    prefixes = [versioned(PATH, version) for version in (None, 1, "1", 2)]
    assert len({key("a", prefix=prefix) for prefix in prefixes}) == 4
    assert all(prefix.startswith(PATH) for prefix in prefixes)


@pytest.mark.parametrize(("unsupported", "complaint"), UNSUPPORTED, ids=short)
def test_unsupported(unsupported: Callable[[], Any], complaint: str) -> None:
    """Anything else is a ``TypeError`` that names the argument and ``key()`` (J13)."""
    with pytest.raises(TypeError, match=rf"(?s)argument 'user': .*{complaint}.*key\(\)"):
        make(PATH, (1, unsupported(), 2), ("year", "user", "month"))


def test_unsupported_keyword() -> None:
    """Among ``**kwargs`` it is the keyword that is named (J13)."""
    for name, values in (("**kwargs", {"year": 1, "user": object()}), ("user", {"year": object()})):
        with pytest.raises(TypeError, match=r"argument 'user': object .*key\(\)"):
            make(PATH, (1, values), ("month", name))


@pytest.mark.django_db
def test_model_instance() -> None:
    """A saved instance counts by label and primary key, and by nothing else (J13)."""
    author = Author.objects.create(name="Ann")
    renamed = Author(pk=author.pk, name="Anna")
    renamed._state.adding = False
    renamed._state.db = "replica"
    assert key(author) == f"shop.Report:model(['testapp.Author',{author.pk}])"
    assert key(renamed) == key(SimpleLazyObject(lambda: author)) == key(author)
    assert key(Author.objects.create(name="Ann")) != key(author)


@pytest.mark.django_db
def test_model_instances_of_other_models() -> None:
    """Instances of two models never share a key, and the key's own type does not matter (J13)."""
    author = Author.objects.create(name="Ann")
    book = Book.objects.create(title="Noon", author=author)
    assert key(book) != key(Novel.objects.get()) != key(book.pk)
    author.pk = str(author.pk)
    assert key(author) == key(Author.objects.get())


KEYS = """
from datetime import *; from decimal import Decimal; from pathlib import *; from uuid import UUID
from cacheback_app.engine.keys import make
values = (
    {"a", "b", "c", 1, None, b"x"}, {"x": {frozenset("abc"), (1, 2)}, "y": [1.5, "\\xe9"]},
    datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.0"), UUID(int=1), PurePosixPath("a"),
)
for number in range(len(values) + 1):
    print(make("shop.Report", values[:number], "abcdef"[:number]))
"""


def test_every_process_makes_the_same_keys() -> None:
    """Keys do not depend on the process or its hash seed, and need no settings (J13)."""
    made = {script(KEYS, PYTHONHASHSEED=seed) for seed in ("0", "1", "2", "random")}
    assert len(made) == 1
    assert len(set(made.pop().split())) == 7
