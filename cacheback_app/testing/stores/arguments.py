"""What is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from math import nan
from typing import Any

import pytest

from cacheback_app.stores.base import BaseStore

from .base import StoreTests, assert_missing
from .samples import NOT_TEXT


class Arguments(StoreTests):
    """What is no text, key, condition or duration is refused, and nothing is stored."""

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
        assert_missing(store, pk)

    def test_bad_expire(self, store: BaseStore, pk: str) -> None:
        """What is not a duration is refused, and nothing is stored."""
        bad: Any
        for bad in (-1, "soon", nan, timedelta(-1)):
            with pytest.raises(ValueError, match="duration"):
                store.set(pk, "sk", "value", expire=bad)
        for bad in ([], True, b"1m"):
            with pytest.raises(TypeError):
                store.set(pk, "sk", "value", expire=bad)
        assert_missing(store, pk)
