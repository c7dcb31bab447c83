"""Reading and writing."""

from __future__ import annotations

import pytest

from cacheback_app.exceptions import NotFoundException, StoreError
from cacheback_app.stores.base import BaseStore

from .base import StoreTests, assert_missing
from .samples import PAIRS, VALUES, Colour


class Values(StoreTests):
    """What is stored comes back as it was, under its own key alone."""

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
        assert_missing(store, pk)
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

    def test_use_after_close(self, store: BaseStore, pk: str) -> None:
        """A store that was closed opens what it needs anew."""
        store.set(pk, "sk", "value")
        store.close()
        store.close()
        store.set(pk, "sk", "new")
        assert store.get(pk, "sk") == "new"
