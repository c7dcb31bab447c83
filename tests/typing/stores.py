"""What type checkers make of stores. Read by mypy, not run."""

from datetime import timedelta
from typing import assert_type

from cacheback_app.stores import BaseStore, LocalFileStore, stores

store = LocalFileStore("var/store", durable=False)

assert_type(stores["default"], BaseStore)
assert_type(store.get("pk", "sk"), str)
store.set("pk", "sk", "value", not_set=True, expire="1m")
store.set("pk", "sk", "value", constraint="old", expire=timedelta(minutes=1))
store.set("pk", "sk", b"value")  # type: ignore[arg-type]


async def check() -> None:
    assert_type(await store.aget("pk", "sk"), str)
    await store.aset("pk", "sk", "value", expire=60)
    await store.adelete("pk", "sk", constraint="value")
