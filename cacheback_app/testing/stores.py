"""The contract of stores as tests, for the backends of this package and for yours::

    class TestPigeonStore(StoreConformance):
        def make_store(self):
            return PigeonStore("loft")

A backend that needs pytest's fixtures overrides the fixture ``store`` instead.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from functools import partial
from math import inf, nan
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cacheback_app.exceptions import DataFormatException, NotFoundException, StoreError
from cacheback_app.stores.base import BaseStore

try:
    import pytest
except ImportError as exc:
    raise ImproperlyConfigured(
        "StoreConformance needs pytest: pip install cacheback-app[testing]"
    ) from exc

LONG = 2000
"""Characters that a key may have at least."""

PAIRS = [
    ("a", "b"),
    ("a/b", "c"),
    ("a", "b/c"),
    ("a:b", "c"),
    ("a", "b:c"),
    ("1:a", "b"),
    ("1", ":ab"),
    ("11", "a"),
    ("1", "1a"),
    ("ab", "c"),
    ("a", "bc"),
    ("A", "b"),
    ("a", "B"),
    ("a ", "b"),
    ("a", "b "),
    (" a", "b"),
    ("a", "b\t"),
    ("a", "b\n"),
    ("a\0", "b"),
    ("a", "\0b"),
    ("\0", "\0"),
    (".", "."),
    ("..", ".."),
    ("../..", "etc/passwd"),
    ("/", "/etc/passwd"),
    ("a\\b", "c"),
    ("%", "_"),
    ("%2F", "a"),
    ("*", "?"),
    ("'", '"'),
    ("';--", "b"),
    ("é", "b"),
    ("e\u0301", "b"),
    ("É", "b"),
    ("ß", "b"),
    ("ss", "b"),
    ("\N{KELVIN SIGN}", "b"),
    ("K", "b"),
    ("\N{PILE OF POO}", "\N{FAMILY}\u200d"),
    ("\U0010ffff", "\uffff"),
    ("None", "True"),
    ("sha256:" + "0" * 64, "b"),
    ("k" * LONG, "s" * LONG),
    ("k" * LONG, "s" * (LONG - 1) + "t"),
    ("k" * LONG, "s" * (LONG - 1)),
    ("k" * (LONG + 1), "s" * (LONG - 1)),
    ("\N{PILE OF POO}" * LONG, "é" * LONG),
]
"""Keys that careless backends take for one another, or for something else than keys."""

VALUES = [
    "",
    " ",
    "0",
    "None",
    "null",
    "a",
    "A",
    "a ",
    "\0",
    "a\0b",
    "\r\n",
    "é",
    "e\u0301",
    "\N{PILE OF POO}",
    "\ufeff",
    '{"a": [1, null]}',
    "x" * 100_000,
]
"""Text that careless backends change, or take for another."""

ALIKE = [
    ("a", "A"),
    ("a", "a "),
    ("a ", "a"),
    ("a", "a\n"),
    ("a\0b", "a"),
    ("", "\0"),
    ("é", "e\u0301"),
    ("1", "1.0"),
    ("%", "a"),
    ("a", "%"),
]
"""A value, and what careless backends take for it."""

NOT_TEXT: list[Any] = [None, b"a", 1, 1.5, True, ["a"], {"a": 1}, object()]


class Colour(StrEnum):
    RED = "red"


class StoreConformance:
    """Subclass it, tell it how to make a store, and pytest does the rest.

    Every test uses keys of its own, so the store needs not be empty.
    """

    threads = 16
    """How many threads race."""
    increments = 5
    """How often each of them counts."""
    lifetime = 0.2
    """Seconds that short-lived entries live: more than a few calls take."""

    def make_store(self) -> BaseStore:
        """Return the store to be tested."""
        raise NotImplementedError(f"{type(self).__name__} needs make_store()")

    @pytest.fixture
    def store(self) -> Iterator[BaseStore]:
        """The store to be tested."""
        store = self.make_store()
        yield store
        store.close()

    @pytest.fixture
    def pk(self) -> str:
        """A partition key that no other test uses."""
        return uuid.uuid4().hex

    # Reading and writing

    def test_missing(self, store: BaseStore, pk: str) -> None:
        """S1: there is no value of what is missing, and the error says of what."""
        with pytest.raises(NotFoundException) as caught:
            store.get(pk, "sk")
        assert (caught.value.pk, caught.value.sk) == (pk, "sk")
        assert isinstance(caught.value, StoreError)

    def test_values(self, store: BaseStore, pk: str) -> None:
        """S3: all text is a value, comes back as it was, and meets itself as a constraint."""
        for value in VALUES:
            shown = ascii(value[:20])
            store.set(pk, "sk", value)
            assert store.get(pk, "sk") == value, shown
            store.set(pk, "sk", "other", constraint=value)
            assert store.get(pk, "sk") == "other", shown

    def test_overwrite(self, store: BaseStore, pk: str) -> None:
        """An unconditional write replaces what was there."""
        store.set(pk, "sk", "long, longer, longest")
        store.set(pk, "sk", "short")
        store.set(pk, "sk", "short")
        assert store.get(pk, "sk") == "short"

    def test_delete(self, store: BaseStore, pk: str) -> None:
        """S1: a deleted entry is missing; deleting what is missing is no error."""
        store.delete(pk, "sk")
        store.set(pk, "sk", "value")
        store.delete(pk, "sk")
        _assert_missing(store, pk)
        store.delete(pk, "sk")

    def test_pairs_do_not_share(self, store: BaseStore, pk: str) -> None:
        """S3: no two pairs of keys share an entry, whatever text they are."""
        for part, sk in PAIRS:
            store.delete(part, sk)
        try:
            for number, (part, sk) in enumerate(PAIRS):
                store.set(part, sk, f"{pk} {number}", not_set=True)
            for number, (part, sk) in enumerate(PAIRS):
                assert store.get(part, sk) == f"{pk} {number}", (part[:40], sk[:40])
            for number, (part, sk) in enumerate(PAIRS):
                store.delete(part, sk, constraint=f"{pk} {number}")
        finally:
            for part, sk in PAIRS:
                store.delete(part, sk)

    def test_plain_text_comes_back(self, store: BaseStore, pk: str) -> None:
        """A subclass of str is its text, whatever its own ``__str__`` says."""

        class Loud(str):
            __slots__ = ()

            def __str__(self) -> str:
                return self.upper()

        store.set(pk, Loud("sk"), Loud("value"))
        store.set(pk, "enum", Colour.RED)
        assert store.get(pk, "sk") == "value"
        assert store.get(Loud(pk), "enum") == "red"
        assert type(store.get(pk, "sk")) is type(store.get(pk, "enum")) is str

    # Arguments

    def test_not_text(self, store: BaseStore, pk: str) -> None:
        """S5: what is not text is a TypeError, and nothing is stored."""
        store.set(pk, "sk", "value")
        for bad in NOT_TEXT:
            calls: list[Callable[[], object]] = [
                partial(store.set, pk, "sk", bad),
                partial(store.set, bad, "sk", "value"),
                partial(store.set, pk, bad, "value"),
                partial(store.get, bad, "sk"),
                partial(store.get, pk, bad),
                partial(store.delete, bad, "sk"),
                partial(store.delete, pk, bad),
            ]
            if bad is not None:
                calls.append(partial(store.set, pk, "sk", "new", constraint=bad))
                calls.append(partial(store.delete, pk, "sk", constraint=bad))
            for call in calls:
                with pytest.raises(TypeError):
                    call()
        assert store.get(pk, "sk") == "value"

    def test_empty_keys(self, store: BaseStore, pk: str) -> None:
        """S3: keys are not empty."""
        for first, second in ((pk, ""), ("", "sk"), ("", "")):
            for call in (store.get, store.delete, lambda pk, sk: store.set(pk, sk, "value")):
                with pytest.raises(ValueError, match="empty"):
                    call(first, second)

    def test_lone_surrogates(self, store: BaseStore, pk: str) -> None:
        """What no encoding can carry is a ValueError that does not repeat it; nothing is stored."""
        bad = "secret\ud800"
        store.set(pk, "sk", "value")
        for call in (
            lambda: store.set(pk, "sk", bad),
            lambda: store.set(pk, "sk", "new", constraint=bad),
            lambda: store.set(pk, bad, "value"),
            lambda: store.get(bad, "sk"),
            lambda: store.delete(pk, "sk", constraint=bad),
        ):
            with pytest.raises(ValueError, match="surrogate") as caught:
                call()
            assert "secret" not in str(caught.value)
        assert store.get(pk, "sk") == "value"

    def test_both_conditions(self, store: BaseStore, pk: str) -> None:
        """S1: not_set and constraint exclude each other."""
        with pytest.raises(ValueError, match="exclude"):
            store.set(pk, "sk", "value", not_set=True, constraint="value")
        with pytest.raises(ValueError, match="exclude"):
            store.set(pk, "sk", "value", not_set=True, constraint="")
        _assert_missing(store, pk)

    def test_bad_expire(self, store: BaseStore, pk: str) -> None:
        """What is not a duration is refused, and nothing is stored."""
        bad: Any
        for bad in (-1, "soon", nan, timedelta(-1)):
            with pytest.raises(ValueError, match="duration"):
                store.set(pk, "sk", "value", expire=bad)
        for bad in ([], True, b"1m"):
            with pytest.raises(TypeError):
                store.set(pk, "sk", "value", expire=bad)
        _assert_missing(store, pk)

    # Conditions

    def test_not_set(self, store: BaseStore, pk: str) -> None:
        """S1: not_set stores once, and what is there stays."""
        store.set(pk, "sk", "first", not_set=True)
        with pytest.raises(DataFormatException) as caught:
            store.set(pk, "sk", "second", not_set=True)
        assert (caught.value.pk, caught.value.sk) == (pk, "sk")
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "first", not_set=True)
        assert store.get(pk, "sk") == "first"
        store.delete(pk, "sk")
        store.set(pk, "sk", "second", not_set=True)

    def test_not_set_spares_the_empty_value(self, store: BaseStore, pk: str) -> None:
        """S3: "" is a value, which not_set does not overwrite."""
        store.set(pk, "sk", "")
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "value", not_set=True)
        assert not store.get(pk, "sk")

    def test_constraint(self, store: BaseStore, pk: str) -> None:
        """S1: a write with a constraint replaces that value and no other."""
        store.set(pk, "sk", "one")
        store.set(pk, "sk", "two", constraint="one")
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "three", constraint="one")
        assert store.get(pk, "sk") == "two"
        store.set(pk, "sk", "two", constraint="two")
        store.set(pk, "sk", "", constraint="two")
        store.set(pk, "sk", "three", constraint="")
        assert store.get(pk, "sk") == "three"

    @pytest.mark.parametrize("constraint", ["", "value", "None"])
    def test_constraint_on_what_is_missing(
        self, store: BaseStore, pk: str, constraint: str
    ) -> None:
        """S1: a missing entry meets no constraint, not even the empty one."""
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "value", constraint=constraint)
        with pytest.raises(DataFormatException):
            store.delete(pk, "sk", constraint=constraint)
        _assert_missing(store, pk)

    def test_constraints_are_exact(self, store: BaseStore, pk: str) -> None:
        """S2: values that merely resemble each other are different ones."""
        for there, asked in ALIKE:
            store.set(pk, "sk", there)
            with pytest.raises(DataFormatException):
                store.set(pk, "sk", "new", constraint=asked)
            with pytest.raises(DataFormatException):
                store.delete(pk, "sk", constraint=asked)
            assert store.get(pk, "sk") == there, (there, asked)

    def test_delete_with_constraint(self, store: BaseStore, pk: str) -> None:
        """S1: delete with a constraint removes that value and no other."""
        store.set(pk, "sk", "one")
        with pytest.raises(DataFormatException) as caught:
            store.delete(pk, "sk", constraint="two")
        assert (caught.value.pk, caught.value.sk) == (pk, "sk")
        assert store.get(pk, "sk") == "one"
        store.delete(pk, "sk", constraint="one")
        _assert_missing(store, pk)
        store.set(pk, "sk", "")
        store.delete(pk, "sk", constraint="")
        _assert_missing(store, pk)

    # Expiry

    def test_expiry(self, store: BaseStore, pk: str) -> None:
        """S1: an expired entry is missing, for readers and for every condition."""
        for sk in ("read", "not set", "constraint", "delete", "put"):
            store.set(pk, sk, "old", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        _assert_missing(store, pk, "read")
        with pytest.raises(DataFormatException):
            store.set(pk, "constraint", "new", constraint="old")
        with pytest.raises(DataFormatException):
            store.delete(pk, "delete", constraint="old")
        store.set(pk, "not set", "new", not_set=True)
        store.set(pk, "put", "new")
        assert store.get(pk, "not set") == store.get(pk, "put") == "new"
        _assert_missing(store, pk, "constraint")
        _assert_missing(store, pk, "delete")

    def test_alive(self, store: BaseStore, pk: str) -> None:
        """Until it expires an entry is there; a duration is a number, text or timedelta."""
        for expire in (60, 60.5, "1m", "60", timedelta(minutes=1), 10**9, inf, 1e300, None):
            store.set(pk, "sk", "one", expire=expire)
            assert store.get(pk, "sk") == "one", expire
            with pytest.raises(DataFormatException):
                store.set(pk, "sk", "two", not_set=True, expire=expire)
            store.set(pk, "sk", "two", constraint="one", expire=expire)
            store.delete(pk, "sk", constraint="two")

    def test_a_write_sets_the_expiry_anew(self, store: BaseStore, pk: str) -> None:
        """Each write says how long its value lives; None is for ever."""
        store.set(pk, "put", "old", expire=self.lifetime)
        store.set(pk, "put", "new")
        for _ in range(10):  # on a busy machine the old value may be gone too soon
            store.set(pk, "swap", "old", expire=self.lifetime)
            with suppress(DataFormatException):
                store.set(pk, "swap", "new", constraint="old")
                break
        store.set(pk, "shorter", "old", expire=60)
        store.set(pk, "shorter", "new", constraint="old", expire=self.lifetime)
        store.set(pk, "added", "new", not_set=True, expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        assert store.get(pk, "put") == store.get(pk, "swap") == "new"
        _assert_missing(store, pk, "shorter")
        _assert_missing(store, pk, "added")

    def test_expire_at_once(self, store: BaseStore, pk: str) -> None:
        """With expire=0 nothing is kept, but a condition has to be met all the same."""
        store.set(pk, "sk", "value", expire=0)
        _assert_missing(store, pk)
        store.set(pk, "sk", "value", not_set=True, expire="0")
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "value", constraint="value", expire=0)
        store.set(pk, "sk", "value")
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "new", not_set=True, expire=0)
        with pytest.raises(DataFormatException):
            store.set(pk, "sk", "new", constraint="other", expire=0)
        assert store.get(pk, "sk") == "value"
        store.set(pk, "sk", "new", constraint="value", expire=0)
        _assert_missing(store, pk)

    def test_delete_expired(self, store: BaseStore, pk: str) -> None:
        """Removing what has expired leaves the rest."""
        store.set(pk, "kept", "value")
        store.set(pk, "long", "value", expire=3600)
        store.set(pk, "gone", "value", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        assert store.delete_expired() >= 0
        assert store.delete_expired() == 0
        assert store.get(pk, "kept") == store.get(pk, "long") == "value"
        _assert_missing(store, pk, "gone")

    # Races

    def test_one_of_many_adds(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads that store what is not set, exactly one succeeds."""

        def add(number: int) -> int | None:
            try:
                store.set(pk, "sk", str(number), not_set=True)
            except DataFormatException:
                return None
            return number

        winners = [number for number in self._race(add) if number is not None]
        assert len(winners) == 1
        assert store.get(pk, "sk") == str(winners[0])

    def test_one_of_many_takes_over_what_expired(self, store: BaseStore, pk: str) -> None:
        """S2: so it is when an expired entry is still lying around."""
        store.set(pk, "sk", "old", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        self.test_one_of_many_adds(store, pk)

    def test_one_of_many_swaps(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads with the same constraint exactly one succeeds."""
        store.set(pk, "sk", "start")

        def swap(number: int) -> int | None:
            try:
                store.set(pk, "sk", str(number), constraint="start")
            except DataFormatException:
                return None
            return number

        winners = [number for number in self._race(swap) if number is not None]
        assert len(winners) == 1
        assert store.get(pk, "sk") == str(winners[0])

    def test_one_of_many_deletes(self, store: BaseStore, pk: str) -> None:
        """S2: of several threads that delete a certain value exactly one succeeds."""
        store.set(pk, "sk", "start")

        def delete(number: int) -> bool:
            try:
                store.delete(pk, "sk", constraint="start")
            except DataFormatException:
                return False
            return True

        assert sum(self._race(delete)) == 1
        _assert_missing(store, pk)

    def test_no_increment_is_lost(self, store: BaseStore, pk: str) -> None:
        """S2: threads that count by compare-and-set arrive at the exact total."""
        store.set(pk, "sk", "0")

        def count(number: int) -> None:
            for _ in range(self.increments):
                increment(store, pk, "sk")

        self._race(count)
        assert store.get(pk, "sk") == str(self.threads * self.increments)

    def test_no_half_values(self, store: BaseStore, pk: str) -> None:
        """S4: who reads while others write and delete sees one whole value or none."""
        lengths = {str(digit): 1000 * (digit + 1) for digit in range(4)}
        done = threading.Event()

        def write(number: int) -> None:
            for turn in range(10):
                digit = str((number + turn) % len(lengths))
                store.set(pk, "sk", digit * lengths[digit])
            store.delete(pk, "sk")

        def read() -> int:
            seen = 0
            while not done.is_set() or not seen:
                seen += 1
                with suppress(NotFoundException):
                    value = store.get(pk, "sk")
                    assert value == value[0] * lengths[value[0]]
            return seen

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(self.in_thread, read)
            try:
                self._race(write, threads=4)
            finally:
                done.set()
            assert reader.result(60)

    def _race(self, do: Callable[[int], Any], threads: int = 0) -> list[Any]:
        """Return what ``do(number)`` returns in each of as many threads, begun at once."""
        threads = threads or self.threads
        barrier = threading.Barrier(threads)

        def run(number: int) -> Any:
            barrier.wait(60)
            return self.in_thread(lambda: do(number))

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, range(threads)))

    def in_thread(self, do: Callable[[], Any]) -> Any:
        """Call ``do`` in a thread that then ends; the place to close what it opened."""
        return do()

    # Async callers

    def test_async_twins(self, store: BaseStore, pk: str) -> None:
        """The async methods do the same and raise the same."""

        async def use() -> None:
            with pytest.raises(NotFoundException):
                await store.aget(pk, "sk")
            await store.aset(pk, "sk", "one", not_set=True, expire="1m")
            with pytest.raises(DataFormatException):
                await store.aset(pk, "sk", "two", not_set=True)
            await store.aset(pk, "sk", "two", constraint="one")
            assert await store.aget(pk, "sk") == "two"
            with pytest.raises(DataFormatException):
                await store.adelete(pk, "sk", constraint="one")
            with pytest.raises(TypeError):
                await store.aset(pk, "sk", 1)  # type: ignore[arg-type]
            await store.adelete(pk, "sk", "two")
            await store.adelete(pk, "sk")
            await asyncio.gather(*(store.aset(pk, str(number), "x") for number in range(8)))

        asyncio.run(use())
        assert store.get(pk, "7") == "x"

    def test_use_after_close(self, store: BaseStore, pk: str) -> None:
        """A store that was closed opens what it needs anew."""
        store.set(pk, "sk", "value")
        store.close()
        store.close()
        store.set(pk, "sk", "new")
        assert store.get(pk, "sk") == "new"


def increment(store: BaseStore, pk: str, sk: str) -> int:
    """Count one up by compare-and-set, as often as it takes; return the new number."""
    while True:
        old = store.get(pk, sk)
        with suppress(DataFormatException):
            store.set(pk, sk, str(int(old) + 1), constraint=old)
            return int(old) + 1


def _assert_missing(store: BaseStore, pk: str, sk: str = "sk") -> None:
    with pytest.raises(NotFoundException):
        store.get(pk, sk)
