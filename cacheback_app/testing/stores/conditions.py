"""Conditional writes, one at a time."""

from __future__ import annotations

import pytest

from cacheback_app.exceptions import DataFormatException
from cacheback_app.stores.base import BaseStore

from .base import StoreTests, assert_missing
from .samples import ALIKE


class Conditions(StoreTests):
    """A write whose condition is not met changes nothing."""

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
        assert_missing(store, pk)

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
        assert_missing(store, pk)
        store.set(pk, "sk", "")
        store.delete(pk, "sk", constraint="")
        assert_missing(store, pk)
