"""Entries: packed, unpacked, and told from what is not one."""

import contextlib
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cacheback_app.engine.entry import MARK, Entry, is_plainly_fresh, unpack
from tests.jobs.test_cache_down import FOREIGN, FUTURE

times = st.floats(min_value=0, max_value=1e11)
entries = st.builds(
    Entry,
    value=st.none() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.floats()),
    fetched_at=times,
    fresh_until=times,
    duration=times,
    tags=st.none() | st.dictionaries(st.text(), st.text(), min_size=1),
    invalidated_at=st.none() | times,
)


@given(entries)
def test_round_trip(entry: Entry) -> None:
    """What is packed is unpacked as it was, also as pickle (J17)."""
    assert repr(unpack(entry.pack())) == repr(entry)
    assert repr(unpack(pickle.loads(pickle.dumps(entry.pack())))) == repr(entry)


def test_round_trip_through_json() -> None:
    """A cache that serialises to JSON gives the entry back, though as a list."""
    entry = Entry({"a": [1]}, 1.0, 2.0, 0.5, {"t": "1.0"}, 1.5)
    assert unpack(json.loads(json.dumps(entry.pack()))) == entry


@given(entries, times, st.integers(1, pickle.HIGHEST_PROTOCOL))
def test_a_trace_is_in_its_own_pickle_alone(entry: Entry, later: float, protocol: int) -> None:
    """Pickles of an entry, invalidated or not, end in its trace; those of another fetch do not."""
    untagged = replace(entry, tags=None)
    for same in (untagged, untagged.invalidated(later)):
        assert untagged.trace() in pickle.dumps(same.pack(), protocol)[-64:]
    other = replace(entry, fetched_at=entry.fetched_at + 1e6)
    assert entry.trace() not in pickle.dumps(other.pack(), protocol)


def test_integers_are_stored_as_floats() -> None:
    """An ``expiry`` that gives whole seconds makes an entry that is one (J6)."""
    assert unpack(Entry(1, 1, 2).pack()) == Entry(1, 1.0, 2.0)


@pytest.mark.parametrize("what", [name for name in FOREIGN if not name.startswith("raises")])
def test_what_is_no_entry(what: str) -> None:
    """Whatever else lies in the cache is none (J11)."""
    # A hostile comparison may raise; who reads the cache takes that for a miss.
    with contextlib.suppress(ValueError):
        assert unpack(FOREIGN[what]) is None


def test_no_import_of_this_package_to_unpickle() -> None:
    """An entry is made of built-in types: any Python can read it (J14)."""
    data = pickle.dumps(Entry([1], 1.0, 2.0, 0.5, {"t": "1.0"}, 1.5).pack())
    code = f"import pickle, sys; pickle.loads({data!r}); print('cacheback_app' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


@given(entries, times)
def test_plainly_fresh_agrees_with_the_whole_judgement(entry: Entry, now: float) -> None:
    """What the fast path serves is what the long one finds fresh, and has no tags (J1)."""
    if is_plainly_fresh(entry.pack(), now):
        assert entry.fresh_until > now and not entry.tags and entry.invalidated_at is None
    elif not entry.tags and entry.invalidated_at is None:
        assert entry.fresh_until <= now


@pytest.mark.parametrize("what", [name for name in FOREIGN if not name.startswith("raises")])
def test_the_fast_path_serves_nothing_foreign(what: str) -> None:
    """Nothing foreign is plainly fresh (J11)."""
    with contextlib.suppress(ValueError):
        assert is_plainly_fresh(FOREIGN[what], 1.0) is False


def test_invalidated() -> None:
    """An invalidated entry is stale on every host's clock; the first time counts (J6)."""
    entry = Entry("v", 100.0, 200.0)
    assert entry.expiry == 200.0
    once = entry.invalidated(150.0)
    assert (once.fresh_until, once.expiry, once.fetched_at) == (0.0, 150.0, 100.0)
    assert once.invalidated(160.0) == once
    assert entry.invalidated(250.0).expiry == 200.0, "it was stale before"
    packed: Any = once.pack()
    assert not is_plainly_fresh(packed, 0.0) and unpack(packed) == once
    assert is_plainly_fresh((MARK, FUTURE, None, 1.0, 0.0), 1.0)
