"""The facts of the seed document, stores-api.txt, on the stores that took its place."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.containers import CacheContainer
from cacheback_app.stores import (
    BaseStore,
    DataFormatException,
    DynamoDBStore,
    LocalFileStore,
    LocalMemoryStore,
    NotFoundException,
)
from cacheback_app.stores.handler import build
from cacheback_app.stores.options import Options


@pytest.fixture(params=["LocalMemoryStore", "LocalFileStore"])
def cache(request: pytest.FixtureRequest, folder: Path) -> BaseStore:
    return LocalMemoryStore() if request.param == "LocalMemoryStore" else LocalFileStore(folder)


def test_signatures() -> None:
    """The three methods take what the seed's take, in its order."""
    get, put, delete = (
        list(inspect.signature(method).parameters)
        for method in (BaseStore.get, BaseStore.set, BaseStore.delete)
    )
    assert get == ["self", "pk", "sk"]
    assert put[:6] == ["self", "pk", "sk", "value", "not_set", "constraint"]
    assert delete == ["self", "pk", "sk", "constraint"]


def test_is_abstract() -> None:
    """BaseCache: "abstract" are delete, get and set, and no other method."""
    assert BaseStore.__abstractmethods__ == {"get", "set", "delete"}
    with pytest.raises(TypeError, match="abstract"):
        BaseStore()  # type: ignore[abstract]


class Pairs(BaseStore):
    """A store of one's own as the seed's are written."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], str] = {}

    def get(self, pk: str, sk: str) -> str:
        if (pk, sk) not in self.pairs:
            raise NotFoundException
        return self.pairs[pk, sk]

    def set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool = False,
        constraint: str | None = None,
        expire: Any = None,
    ) -> None:
        there = self.pairs.get((pk, sk))
        if (not_set and there is not None) or constraint not in (None, there):
            raise DataFormatException
        self.pairs[pk, sk] = value

    def delete(self, pk: str, sk: str, constraint: str | None = None) -> None:
        if constraint not in (None, self.pairs.get((pk, sk))):
            raise DataFormatException
        self.pairs.pop((pk, sk), None)


def test_a_store_of_ones_own() -> None:
    """A subclass that has the three methods is a store: for async callers and containers, too."""
    store = build("mine", {"BACKEND": f"{__name__}.Pairs"})
    container = CacheContainer("greeting", store, lambda name: f"Hello {name}!")
    assert container["Peter"] == container["Peter"] == "Hello Peter!"
    assert store.get("greeting", "Peter") == '"Hello Peter!"'

    async def use() -> None:
        await store.aset("pk", "sk", "value", not_set=True)
        with pytest.raises(DataFormatException):
            await store.aset("pk", "sk", "value", not_set=True)
        assert await store.aget("pk", "sk") == "value"
        await store.adelete("pk", "sk", constraint="value")
        with pytest.raises(NotFoundException):
            await store.aget("pk", "sk")

    asyncio.run(use())
    assert store.delete_expired() == 0
    store.close()


def test_get(cache: BaseStore) -> None:
    """get: "Retrieves a value with the given key"; "NotFoundException - No value was found"."""
    cache.set("pk", "sk", "value")
    assert cache.get("pk", "sk") == "value"
    with pytest.raises(NotFoundException):
        cache.get("pk", "other")


def test_set_not_set(cache: BaseStore) -> None:
    """set: "whether the value must not already be set"."""
    cache.set("pk", "sk", "value", True)
    with pytest.raises(DataFormatException):
        cache.set("pk", "sk", "value", True)


def test_set_constraint(cache: BaseStore) -> None:
    """set: "If provided, the currently cached value must match"."""
    cache.set("pk", "sk", "value")
    cache.set("pk", "sk", "new", False, "value")
    with pytest.raises(DataFormatException):
        cache.set("pk", "sk", "newer", False, "value")
    assert cache.get("pk", "sk") == "new"


def test_set_incompatible(cache: BaseStore) -> None:
    """set: "ValueError - An incompatible set of parameters were provided"."""
    with pytest.raises(ValueError, match="exclude"):
        cache.set("pk", "sk", "value", True, "value")


def test_delete(cache: BaseStore) -> None:
    """delete: "The value provided as the condition must match for the delete to be successful"."""
    cache.set("pk", "sk", "value")
    with pytest.raises(DataFormatException):
        cache.delete("pk", "sk", "other")
    cache.delete("pk", "sk", "value")
    with pytest.raises(NotFoundException):
        cache.get("pk", "sk")


def test_memory_is_volatile() -> None:
    """local_memory: "A volatile in-memory backed cache"."""
    LocalMemoryStore().set("pk", "sk", "value")
    with pytest.raises(NotFoundException):
        LocalMemoryStore().get("pk", "sk")


def test_files_are_kept(folder: Path) -> None:
    """local_file: "A local file backed cache for pointers"."""
    LocalFileStore(folder).set("pk", "sk", "value")
    assert LocalFileStore(folder).get("pk", "sk") == "value"


def test_configuration() -> None:
    """The seed's configuration fields are options, but for the region's name."""
    assert list(Options(DynamoDBStore)._parameters) == ["table", "url", "region", "assume_role_arn"]
    region = inspect.signature(DynamoDBStore).parameters["region"]
    assert region.default == "us-east-1"
    assert "path" in Options(LocalFileStore)._parameters
