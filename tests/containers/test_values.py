"""C2: any object is kept; JSON where it loses nothing, otherwise a pickle with a signature."""

import base64
import json
import os
import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from django.core.signing import Signer
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from cacheback_app.containers import CacheContainer
from cacheback_app.containers.values import MISSING, decode, encode
from cacheback_app.exceptions import UnstorableValue
from cacheback_app.stores import BaseStore, LocalMemoryStore

Pair = namedtuple("Pair", "a b")


class Colour(IntEnum):
    RED = 1


@dataclass
class Visit:
    name: str
    when: datetime


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


JSON: list[Any] = [
    None, True, False, 0, -1, 2**70, 1.5, -0.0, 1e-300, "", "é\0\N{PILE OF POO}", [], {}, [[]],
    {"": {"a": [1, None, "x"]}, "b": 2}, {"b": 1, "a": 2}, "pickle:", "r:0123456789abcdef:1.0",
    "\ud800",
]  # fmt: skip

OTHERS: list[Any] = [
    (), (1, 2), [(1,)], {1: "a"}, {None: 1}, {"a": {True: 1}}, {1, 2}, frozenset([1]), b"bytes",
    1j, float("inf"), Decimal("1.10"), datetime(2026, 1, 1, tzinfo=UTC), Colour.RED, Pair(1, 2),
    OrderedDict(a=1), {"a": Colour.RED}, mark_safe("<b>"), "\ud83d\ude00", 10**5000,
    Visit("Peter", datetime(2026, 1, 1, tzinfo=UTC)), {"a": 1, 1: "a"}, [OrderedDict()],
]  # fmt: skip


def ident(value: Any) -> str:
    return f"{type(value).__name__}-{ascii(value)[:20] if value != 10**5000 else 'huge'}"


@pytest.mark.parametrize("value", JSON, ids=ident)
def test_json_is_kept_as_json(value: Any) -> None:
    """C2: what JSON gives back as it was is JSON in the store."""
    text = encode(value, "greeting", "Peter")
    assert json.loads(text) == value
    assert repr(decode(text, "greeting", "Peter")) == repr(value)


@pytest.mark.parametrize("value", OTHERS, ids=ident)
def test_what_json_would_change_is_pickled(value: Any) -> None:
    """C2: tuples, other keys than text, subclasses and the like come back as they were."""
    text = encode(value, "greeting", "Peter")
    assert text.startswith("pickle:")
    assert text.isascii()
    again = decode(text, "greeting", "Peter")
    assert again == value
    assert type(again) is type(value)


def test_not_a_number_comes_back() -> None:
    """C2: NaN, which JSON has not, is pickled."""
    again = decode(encode([float("nan")], "greeting", "Peter"), "greeting", "Peter")
    assert again[0] != again[0]


def test_a_circle_comes_back() -> None:
    """C2: a list that holds itself is pickled."""
    circle: list[Any] = []
    circle.append(circle)
    again = decode(encode(circle, "greeting", "Peter"), "greeting", "Peter")
    assert again[0] is again


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers() | st.booleans(), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=50)
@given(values)
def test_every_value_comes_back(value: Any) -> None:
    """C2: whatever is kept is given back, equal and of the same types."""
    again = decode(encode(value, "greeting", "Peter"), "greeting", "Peter")
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("value", [None, "", (1, 2), {"a": 1}, Visit("Peter", datetime.min)])
def test_any_object_is_stored(store: BaseStore, value: Any) -> None:
    """C2: over every backend, generated and set; None is a value."""
    container = CacheContainer("greeting", store, lambda key: value)
    container["set"] = value
    for key in ("generated", "generated", "set"):
        assert container[key] == value
        assert type(container[key]) is type(value)
        assert key in container


def test_a_value_is_a_copy() -> None:
    """Changing what was read changes nothing that is kept."""
    container = CacheContainer("greeting", LocalMemoryStore())
    container["a"] = given = [1]
    given.append(2)
    container["a"].append(3)
    assert container["a"] == [1]


def test_json_in_the_store_is_read_by_others() -> None:
    """C2: the entry of a JSON value, under container and key, is that JSON and nothing else."""
    store = LocalMemoryStore()
    CacheContainer("greeting", store)["Peter"] = {"a": [1, None]}
    assert json.loads(store.get("greeting", "Peter")) == {"a": [1, None]}


def tampered(path: Path) -> dict[str, str]:
    """Return texts that would make a folder if they were unpickled."""
    payload = base64.b64encode(pickle.dumps(Evil(path))).decode()
    good = encode((1, 2), "greeting", "Peter").removeprefix("pickle:")
    signature = good.rpartition(":")[2]
    return {
        "bare": f"pickle:{payload}",
        "no signature": f"pickle:{payload}:",
        "another's signature": f"pickle:{payload}:{signature}",
        "another salt": f"pickle:{Signer(salt='other').sign(payload)}",
        "no salt": f"pickle:{Signer().sign(payload)}",
        "another key": f"pickle:{Signer(key='other').sign(payload)}",
        "without its prefix": payload,
        "a prefix twice": f"pickle:pickle:{payload}:{signature}",
        "another case": f"PICKLE:{good}",
        "a line before": f"\npickle:{good}",
    }


def test_a_tampered_pickle_is_a_miss_and_never_unpickled(store: BaseStore, tmp_path: Path) -> None:
    """C2: a signature that does not match is a miss; the pickle's code does not run."""
    container = CacheContainer("greeting", store, lambda key: "generated")
    mark = tmp_path / "unpickled"
    for name, text in tampered(mark).items():
        store.set("greeting", "Peter", text)
        assert "Peter" not in container, name
        assert container["Peter"] == "generated", name
        assert json.loads(store.get("greeting", "Peter")) == "generated", name
    assert not mark.exists()


def test_the_trap_would_work(tmp_path: Path) -> None:
    """The pickle of the test above does run code when it is unpickled."""
    pickle.loads(pickle.dumps(Evil(tmp_path / "unpickled")))
    assert (tmp_path / "unpickled").exists()


def test_a_pickle_belongs_to_its_key() -> None:
    """C2: a signed pickle that was moved to another key or container is a miss."""
    store = LocalMemoryStore()
    container, other = CacheContainer("a", store), CacheContainer("ab", store)
    container["bc"] = (1, 2)
    text = store.get("a", "bc")
    for place in [(container, "x"), (other, "bc"), (other, "c"), (container, "bc ")]:
        store.set(place[0].name, place[1], text)
        assert place[1] not in place[0]
    assert container["bc"] == (1, 2)


@pytest.mark.parametrize("place", [0, 10, -1, -20, -50])
def test_any_changed_character_is_a_miss(place: int) -> None:
    """C2: payload and signature are protected alike."""
    text = encode((1, 2), "greeting", "Peter")
    start = len("pickle:")
    index = start + place if place >= 0 else len(text) + place
    changed = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
    assert decode(changed, "greeting", "Peter") is MISSING


MALFORMED = [
    "", " ", "{", "nul", "NaN", "[Infinity]", "'a'", "\0", "pickle:", "pickle::", "r:x:nan",
    "r:0:1e999", "claim", "[" * 100_000, "1" * 10_000, "\ufeff1", "{'a': 1}", "{1: 2}",
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: ascii(text[:12]))
def test_malformed_text_is_a_miss(text: str) -> None:
    """C2: what no container wrote counts as nothing, and is replaced."""
    store = LocalMemoryStore()
    container = CacheContainer("greeting", store, "Hello {}!".format, timeout=0.1)
    store.set("greeting", "Peter", text)
    assert "Peter" not in container
    assert container["Peter"] == "Hello Peter!"
    assert json.loads(store.get("greeting", "Peter")) == "Hello Peter!"


def test_the_site_key_may_be_rotated(settings: Any) -> None:
    """C2: pickles of an earlier SECRET_KEY are read while it is among the fallbacks."""
    text = encode((1, 2), "greeting", "Peter")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert decode(text, "greeting", "Peter") == (1, 2)
    settings.SECRET_KEY_FALLBACKS = []
    assert decode(text, "greeting", "Peter") is MISSING


def test_an_outdated_class_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """C2: the pickle of a class that is gone since a deploy is generated anew."""
    text = encode(Visit("Peter", datetime.min), "greeting", "Peter")
    monkeypatch.delattr(f"{__name__}.Visit")
    assert decode(text, "greeting", "Peter") is MISSING


def test_what_cannot_be_pickled(caplog: pytest.LogCaptureFixture) -> None:
    """C2: setting it is an UnstorableValue; generated, it is served and not kept."""
    store = LocalMemoryStore()
    container = CacheContainer("greeting", store, lambda key: lambda: key)
    with pytest.raises(UnstorableValue):
        container["Peter"] = lambda: None
    assert container["Peter"]() == "Peter"
    assert "Peter" not in container
    assert store._entries == {}
    [record] = caplog.records
    assert record.getMessage() == "The container 'greeting' keeps nothing (AttributeError)"
