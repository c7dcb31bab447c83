"""Async callers."""

from __future__ import annotations

import asyncio

import pytest

from cacheback_app.exceptions import DataFormatException, NotFoundException
from cacheback_app.stores.base import BaseStore

from .base import StoreTests


class AsyncCallers(StoreTests):
    """The async twins keep the contract too."""

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
