"""Mini-transactions: the same answers from every backend."""

import pickle
import time
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cacheback_app.engine.state import (
    ABSENT,
    ANY,
    State,
    drop,
    ensure,
    look,
    put,
    replace,
    state_for,
)
from cacheback_app.engine.state.base import build
from cacheback_app.engine.state.django_redis import DjangoRedisState
from cacheback_app.engine.state.generic import GenericState
from cacheback_app.engine.state.locmem import LocMemState
from cacheback_app.engine.state.redis import RedisState
from tests.addresses import cache
from tests.jobs.support import in_threads
from tests.services import RedisServer

BACKENDS = ["default", "redis", "own", "django_redis", "file", "memcached"]
ATOMIC = BACKENDS[:4]
VALUES = ["text", 5, None, ("cacheback/1", 1.0, [1], 2.0, 0.0), {"a": 1}, "", 0]


@pytest.fixture(params=BACKENDS)
def state(request: pytest.FixtureRequest) -> State:
    if request.param in ATOMIC[1:]:
        request.getfixturevalue("redis_url")
    if request.param == "memcached":
        request.getfixturevalue("memcached")
    state = state_for(request.param)
    # Not clear(): memcached's flush also takes what is stored in the same second.
    state.cache.delete_many(["k", "none", "bad", *"abcd"])
    return state


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_put_and_look(value: Any, state: State) -> None:
    """What is put is there, decoded, and its raw form can be expected again."""
    outcome = state.apply([put("k", value, 60)])
    assert outcome.applied
    found = state.apply([look("k"), look("none")])
    assert found.applied and found.value("k") == value
    assert (found.raw("none"), found.value("none")) == (ABSENT, None)
    assert state.apply([put("k", "new", 60, expect=found.raw("k"))]).applied
    assert state.get("k") == "new"
    assert state.cache.get("k") == "new", "as Django's own API sees it"


@pytest.mark.parametrize("alias_name", ATOMIC)
def test_what_is_known_is_not_told_again(alias_name: str, redis_url: str) -> None:
    """A look tells nothing of what has the known bytes near its end, and all of anything else."""
    state, known = state_for(alias_name), pickle.dumps(1.5)[-9:-1]
    state.apply([put("k", "seen", 60), put("tail", ["x" * 5000, 1.5], 60), drop("none")])
    state.apply([put("head", [1.5, "x" * 5000], 60)])
    raw = state.apply([look("k")]).raw("k")
    ops = [look("tail", known=known), look("k", raw, known=known), look("head", known=known)]
    outcome = state.apply([*ops, look("none", known=known), put("own", 1.5, 60)])
    assert outcome.applied and outcome.value("k") == "seen" and outcome.value("none") is None
    assert outcome.value("tail") is None, "known"
    assert outcome.value("head") == [1.5, "x" * 5000], "the same bytes, but not near the end"


def test_expect_absent(state: State) -> None:
    """ABSENT lets one through."""
    assert state.apply([put("k", "a", 60, expect=ABSENT)]).applied
    refused = state.apply([put("k", "b", 60, expect=ABSENT, look=True)])
    assert not refused.applied and refused.value("k") == "a"
    assert state.apply([look("none", expect=ABSENT)]).applied
    assert not state.apply([look("k", expect=ABSENT)]).applied
    assert state.get("k") == "a"


def test_what_was_put_is_known(state: State) -> None:
    """The outcome of a put tells the raw form to expect, without another read."""
    raw = state.apply([put("k", "a", 60, expect=ABSENT)]).raw("k")
    assert state.apply([drop("k", expect=raw)]).applied
    assert state.get("k") is None


def test_all_or_nothing(state: State) -> None:
    """One expectation that fails, wherever it stands, and nothing is written."""
    state.apply([put("a", 1, 60), put("b", 2, 60)])
    before = state.apply([look("a"), look("b")])
    state.apply([put("b", 3, 60)])
    for ops in (
        [put("a", "x", 60, expect=before.raw("a")), drop("b", expect=before.raw("b"))],
        [drop("b", expect=before.raw("b")), put("a", "x", 60)],
        [put("c", "x", 60), look("none", expect=before.raw("a"))],
    ):
        assert not state.apply(ops).applied
    assert (state.get("a"), state.get("b"), state.get("c")) == (1, 3, None)


def test_ensure(state: State) -> None:
    """``ensure`` stores once, and tells what is there."""
    first = state.apply([ensure("k", "one", 60)])
    again = state.apply([ensure("k", "two", 60)])
    assert first.value("k") == again.value("k") == "one"
    assert state.apply([look("k", expect=first.raw("k"))]).applied
    assert state.apply([look("k", expect=again.raw("k"))]).applied


def test_replace(state: State) -> None:
    """``replace`` changes what is there and nothing else."""
    assert state.apply([replace("k", "new", 60)]).applied
    assert state.get("k") is None
    state.apply([put("k", "old", 60)])
    state.apply([replace("k", "new", 60)])
    assert state.get("k") == "new"


def test_drop(state: State) -> None:
    """Dropping what is not there is fine."""
    state.apply([put("a", 1, 60)])
    assert state.apply([drop("a"), drop("none")]).applied
    assert state.get("a") is None


def test_get_many_and_apply_many(state: State) -> None:
    """Independent transactions each have an outcome of their own."""
    state.apply([put("b", "there", 60)])
    outcomes = state.apply_many([[put(key, key, 60, expect=ABSENT)] for key in "abc"])
    assert [outcome.applied for outcome in outcomes] == [True, False, True]
    assert state.get_many(["a", "b", "c", "d"]) == {"a": "a", "b": "there", "c": "c"}
    assert state.apply_many([]) == []
    [one] = state.apply_many([[look("a")]])
    assert one.value("a") == "a"


@pytest.mark.parametrize("alias_name", ATOMIC)
def test_lifetimes(alias_name: str, redis_url: str) -> None:
    """Times to live hold to the millisecond; ``replace`` keeps, ``ensure`` extends and never
    shortens them; None is for ever (J6)."""
    state = state_for(alias_name)
    state.cache.clear()
    state.apply([put("gone", 1, 0.05), put("kept", 1, None), put("extended", 1, 0.05)])
    state.apply([put("replaced", 1, 0.05), put("long", 1, 60)])
    state.apply([replace("replaced", 2, 60), ensure("extended", 2, 60), ensure("long", 2, 0.01)])
    assert state.get("gone") == 1 and state.get("replaced") == 2
    time.sleep(0.08)
    found = state.get_many(["gone", "kept", "extended", "replaced", "long"])
    assert found == {"kept": 1, "extended": 1, "long": 1}
    assert state.apply([put("gone", 3, 60, expect=ABSENT)]).applied


@pytest.mark.parametrize("alias_name", [*ATOMIC, "memcached"])
def test_one_wins(alias_name: str, redis_url: str, memcached: str) -> None:
    """Of many who claim a free key at once, one wins, on every backend with an atomic ``add``
    (J2)."""
    for number in range(5):
        key = f"race-{number}"
        state_for(alias_name).cache.delete(key)

        def claim(index: int, key: str = key) -> Any:
            state = state_for(alias_name)
            try:
                return state.apply([put(key, str(index), 60, expect=ABSENT)])
            finally:
                state.cache.close()

        outcomes = in_threads(16, claim)
        assert sum(outcome.applied for outcome in outcomes) == 1


@pytest.mark.parametrize("alias_name", ATOMIC)
def test_increments_are_not_lost(alias_name: str, redis_url: str) -> None:
    """Compare-and-set loops in many threads lose no update: there is no window (J5)."""
    state_for(alias_name).cache.set("n", 0, None)

    def add(index: int) -> None:
        state = state_for(alias_name)
        for _ in range(20):
            while True:
                before = state.apply([look("n")])
                change = put("n", before.value("n") + 1, None, expect=before.raw("n"))
                if state.apply([change]).applied:
                    break

    assert in_threads(6, add) == [None] * 6
    assert state_for(alias_name).get("n") == 120


@pytest.mark.parametrize("alias_name", ["redis", "own", "django_redis"])
def test_a_transaction_is_one_round_trip(
    alias_name: str, shared_redis_server: RedisServer, settings: Any
) -> None:
    """A transaction over several keys is one command, and a server that forgot the script is
    given it again."""
    settings.CACHES = {"default": cache(alias_name, shared_redis_server.url())}
    state = state_for("default")
    ops = [put("a", 1, 60), look("b"), ensure("c", 2, 60), drop("d")]
    state.apply(ops)
    with shared_redis_server.count_round_trips() as counted:
        assert state.apply(ops).applied
    assert sum(counted.values()) == 1
    shared_redis_server.client().script_flush()
    assert state.apply(ops).applied
    shared_redis_server.client().script_flush()
    assert all(outcome.applied for outcome in state.apply_many([ops, ops, ops]))


class OwnSet(LocMemCache):
    def set(self, *args: Any, **kwargs: Any) -> None:
        super().set(*args, **kwargs)


class OwnGet(LocMemCache):
    def get(self, *args: Any, **kwargs: Any) -> Any:
        return super().get(*args, **kwargs)


def test_the_state_that_knows_a_backend(settings: Any) -> None:
    """Each backend has the state that knows it; one with a ``set`` of its own is not gone
    around."""
    kinds = {
        "default": LocMemState,
        "redis": RedisState,
        "own": RedisState,
        "django_redis": DjangoRedisState,
        "file": GenericState,
        "dummy": GenericState,
        "memcached": GenericState,
    }
    assert {alias: type(state_for(alias)) for alias in kinds} == kinds
    assert type(build(OwnSet("a", {}))) is GenericState
    assert type(build(OwnGet("b", {}))) is LocMemState
    assert [state_for(alias).is_atomic for alias in kinds] == [True] * 4 + [False] * 3
    assert state_for("memcached").can_drop_writes and not state_for("default").can_drop_writes


def test_the_backends_prefix_and_version_are_used(redis_url: str) -> None:
    """Keys are those that Django's own API would use: prefix, version and key function."""
    for alias in ATOMIC:
        state_for(alias).apply([put("k", "v", 60)])
        cache_: BaseCache = caches[alias]
        assert cache_.get("k") == "v"
        cache_.set("k", "w")
        found = state_for(alias).apply([look("k")])
        assert found.value("k") == "w"
        assert state_for(alias).apply([put("k", "x", 60, expect=found.raw("k"))]).applied


def test_values_are_private(state: State) -> None:
    """What is stored is a copy (J17)."""
    value = [1]
    state.apply([put("k", value, 60)])
    value.append(2)
    got = state.apply([look("k")]).value("k")
    assert got == [1]
    got.append(3)
    assert state.get("k") == [1]


class Unpicklable:
    def __reduce__(self) -> Any:
        raise pickle.PicklingError("no")


def test_a_value_that_cannot_be_stored_changes_nothing(state: State) -> None:
    """When one value cannot be stored, no other is either."""
    state.apply([put("k", "old", 60)])
    with pytest.raises(Exception, match=r"no|Unpicklable"):
        state.apply([put("bad", Unpicklable(), 60), put("k", "new", 60)])
    assert state.get("k") == "old" or not state.is_atomic


class Model:
    """What a transaction should do, on a dict."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def apply(self, steps: list[tuple[str, str, Any, str]]) -> bool:
        for key, _, _, expect in steps:
            if expect == "absent" and key in self.values:
                return False
            if expect == "same" and key not in self.values:
                return False
        for key, write, value, _ in steps:
            if (
                write == "put"
                or (write == "ensure" and key not in self.values)
                or (write == "replace" and key in self.values)
            ):
                self.values[key] = value
            elif write == "drop":
                self.values.pop(key, None)
        return True


step = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["put", "drop", "ensure", "replace", "look", "glance"]),
    st.integers(0, 3).map(str),
    st.sampled_from(["any", "absent", "same"]),
)
script = st.lists(st.lists(step, min_size=1, max_size=3, unique_by=lambda s: s[0]), max_size=8)


@pytest.mark.parametrize("alias_name", [*ATOMIC, "generic"])
def test_against_a_model(alias_name: str, redis_url: str) -> None:
    """Any sequence of transactions does what it does to a dict."""
    state = build(OwnSet("generic", {})) if alias_name == "generic" else state_for(alias_name)
    makers: dict[str, Any] = {
        "put": lambda k, v, e: put(k, v, 60, expect=e),
        "drop": lambda k, v, e: drop(k, expect=e),
        "replace": lambda k, v, e: replace(k, v, 60, expect=e),
        "look": lambda k, v, e: look(k, expect=e),
        "glance": lambda k, v, e: look(k, expect=e, known=v.encode()),
        "ensure": lambda k, v, e: ensure(k, v, 60),
    }

    def raws(steps: Any) -> dict[str, Any]:
        """Return what to expect of each key by the steps' words for it."""
        there = state.apply([look(key) for key in "abc"])
        # Of what is not there, something that cannot be.
        same = {k: b"never" if there.raw(k) is ABSENT else there.raw(k) for k in "abc"}
        words = {"any": ANY, "absent": ABSENT}
        return {key: words.get(word, same[key]) for key, _, _, word in steps}

    def allowed(step: Any) -> Any:
        key, write, value, word = step
        # What is not atomic has one atomic step, adding, and that has to be the first.
        is_free = write == "ensure" or (not state.is_atomic and (write, word) == ("put", "absent"))
        return (key, write, value, "any" if is_free else word)

    @given(script)
    @hypothesis_settings(max_examples=40, deadline=None)
    def check(transactions: Any) -> None:
        state.cache.clear()
        model = Model()
        for drawn in transactions:
            steps = [allowed(step) for step in drawn]
            expect = raws(steps)
            ops = [makers[write](key, value, expect[key]) for key, write, value, _ in steps]
            assert state.apply(ops).applied is model.apply(steps)
            assert state.get_many("abc") == model.values

    check()
