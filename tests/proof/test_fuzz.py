"""Whatever lies in a cache, store or broker, reading it ends in a value, a miss or a refusal."""

import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.cache import caches
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cacheback_app import Job
from cacheback_app.engine.keys import make
from cacheback_app.exceptions import StoreError
from cacheback_app.stores import LocalFileStore
from proof import fuzz

SOURCES = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ENTRIES = st.tuples(st.just("cacheback/1"), *[st.floats() | st.none() | st.text()] * 4)
A_RANGE = bytes([8, fuzz.TAGS.index("range"), 6, 3, 2, 129, 2, 130, 2, 129])
AN_ENTRY = b"|".join([b"\x03\0", b"\0", b"\x03\0", b"\x03\0"])
"""What chance hardly ever makes: 0.0, None, 0.0, 0.0, which with the mark is stale just now."""


class Fuzzed(Job):
    """Reads what lies under its key."""

    def fetch(self, number: int) -> str:
        return "fetched"


@pytest.mark.parametrize("target", fuzz.TARGETS.values(), ids=fuzz.TARGETS.keys())
@given(data=st.binary(max_size=300))
@example(data=A_RANGE)
@example(data=AN_ENTRY)
@SOURCES
def test_decoders_refuse(target: Callable[[bytes], bool], data: bytes) -> None:
    """J11, J14, J15: foreign arguments, messages, entries and claims are taken for ours or refused,
    the second time as the first, and no message is taken; nothing of their own is raised."""
    is_ours = target(data)
    assert is_ours is target(data)
    assert not (is_ours and target is fuzz.message)


@given(found=st.binary() | ENTRIES | ENTRIES.map(list) | st.dictionaries(st.text(), st.integers()))
@SOURCES
def test_foreign_entry_is_a_miss(found: object) -> None:
    """J11: ``get`` answers whatever object lies under its key, and stores the value again."""
    job = Fuzzed()
    caches["default"].set(job.key(1), found)
    job.explain(1)
    job.get(1)
    job.delete(1)
    assert job.get(1) == "fetched"


@given(raw=st.binary(max_size=200))
@SOURCES
def test_foreign_bytes_are_a_miss(raw: bytes) -> None:
    """J11: so it does when the bytes are no pickle at all."""
    job, cache = Fuzzed(), caches["default"]
    cache.set(job.key(1), None)
    cache._cache[cache.make_key(job.key(1))] = raw  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):
        assert not isinstance(pickle.loads(raw), tuple)
    assert job.get(1) == "fetched"


@given(raw=st.binary(max_size=300))
@SOURCES
def test_foreign_store_file(tmp_path: Path, raw: bytes) -> None:
    """S1, S4: a file that something else wrote is an entry, missing, or a ``StoreError``."""
    store = LocalFileStore(path=str(tmp_path))
    store.set("a", "b", "value")
    (written,) = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    written.write_bytes(raw)
    with contextlib.suppress(StoreError):
        assert isinstance(store.get("a", "b"), str)
    with contextlib.suppress(StoreError):
        store.delete("a", "b")


@given(data=st.lists(st.binary(max_size=60), min_size=2, max_size=2))
@SOURCES
def test_shaped_arguments_share_no_key(data: list[bytes]) -> None:
    """J13: what differs as JSON of any shape has another key."""
    left, right = map(fuzz.shaped, data)
    with contextlib.suppress(TypeError):
        keys = [make("shop.Report", (each,), ["it"]) for each in (left, right)]
        assert (keys[0] == keys[1]) == (repr(left) == repr(right))


def test_targets_are_reached() -> None:
    """The bytes of the corpus do become tagged values, so that the fuzz means something."""
    every = [fuzz.shaped(bytes([8, number, 4, 6])) for number in range(len(fuzz.TAGS))]
    assert {value["t"] for value in every} == set(fuzz.TAGS)
