"""How long entries live."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from math import inf

import pytest

from cacheback_app.exceptions import DataFormatException
from cacheback_app.stores.base import BaseStore

from .base import StoreTests, assert_missing


class Expiry(StoreTests):
    """An entry is there until it expires, and no longer."""

    def test_expiry(self, store: BaseStore, pk: str) -> None:
        """S1: an expired entry is missing, for readers and for every condition."""
        for sk in ("read", "not set", "constraint", "delete", "put"):
            store.set(pk, sk, "old", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        assert_missing(store, pk, "read")
        with pytest.raises(DataFormatException):
            store.set(pk, "constraint", "new", constraint="old")
        with pytest.raises(DataFormatException):
            store.delete(pk, "delete", constraint="old")
        store.set(pk, "not set", "new", not_set=True)
        store.set(pk, "put", "new")
        assert store.get(pk, "not set") == store.get(pk, "put") == "new"
        assert_missing(store, pk, "constraint")
        assert_missing(store, pk, "delete")

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
        assert_missing(store, pk, "shorter")
        assert_missing(store, pk, "added")

    def test_expire_at_once(self, store: BaseStore, pk: str) -> None:
        """With expire=0 nothing is kept, but a condition has to be met all the same."""
        store.set(pk, "sk", "value", expire=0)
        assert_missing(store, pk)
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
        assert_missing(store, pk)

    def test_delete_expired(self, store: BaseStore, pk: str) -> None:
        """Removing what has expired leaves the rest."""
        store.set(pk, "kept", "value")
        store.set(pk, "long", "value", expire=3600)
        store.set(pk, "gone", "value", expire=self.lifetime)
        time.sleep(self.lifetime + 0.05)
        assert store.delete_expired() >= 0
        assert store.delete_expired() == 0
        assert store.get(pk, "kept") == store.get(pk, "long") == "value"
        assert_missing(store, pk, "gone")
