"""What every store gets from CheckedStore, and how backends fail."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.exceptions import CachebackError
from cacheback_app.stores import (
    AccessException,
    ConfigurationException,
    DataFormatException,
    LocalMemoryStore,
    NotFoundException,
    StoreError,
)
from cacheback_app.stores.handler import build
from cacheback_app.testing.stores import increment
from tests import services

BACKENDS = "cacheback_app.stores"


class Down(LocalMemoryStore):
    """A backend whose driver fails with a message that nobody should see."""

    driver_errors = (OSError,)

    def _get(self, pk: str, sk: str) -> str | None:
        raise OSError("the value is secret")

    def _set(self, *args: Any) -> bool:
        raise OSError("the value is secret")

    def _delete(self, *args: Any) -> bool:
        raise OSError("the value is secret")

    def _delete_expired(self) -> int:
        raise OSError("the value is secret")


def nobody() -> str:
    """Return an address at which nothing listens."""
    return f"127.0.0.1:{services.free_port()}"


def unreachable(backend: str, tmp_path: Path) -> dict[str, Any]:
    """Return the options of a store that can be built and not be used."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    return {
        "LocalFileStore": {"path": str(blocked / "store")},
        "SQLiteStore": {"path": str(blocked / "store.sqlite3")},
        "SQLAlchemyStore": {"url": f"postgresql+psycopg://user:secret@{nobody()}/db"},
        "RedisStore": {"url": f"redis://user:secret@{nobody()}/0"},
        "DynamoDBStore": {"url": f"http://{nobody()}"},
    }[backend]


def test_driver_errors() -> None:
    """S1: an error of the driver is an AccessException: chained, and not repeated."""
    store = Down()
    calls = [
        lambda: store.get("pk", "sk"),
        lambda: store.set("pk", "sk", "value"),
        lambda: store.set("pk", "sk", "value", expire=0),
        lambda: store.delete("pk", "sk", "value"),
        store.delete_expired,
    ]
    for call in calls:
        with pytest.raises(AccessException) as caught:
            call()
        assert isinstance(caught.value.__cause__, OSError)
        assert "secret" not in str(caught.value)
        assert str(caught.value) == "Down failed: OSError"


def test_other_errors_are_not_hidden() -> None:
    """What is no error of the driver is a bug, and reaches the caller as it is."""

    class Buggy(LocalMemoryStore):
        def _get(self, pk: str, sk: str) -> str | None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Buggy().get("pk", "sk")


@pytest.mark.parametrize(
    "backend", ["LocalFileStore", "SQLiteStore", "SQLAlchemyStore", "RedisStore", "DynamoDBStore"]
)
def test_unreachable(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    """S1: an unreachable backend is an AccessException from every method."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    request.getfixturevalue("_aws_environment")
    options = unreachable(backend, tmp_path)
    store = build("x", {"BACKEND": f"{BACKENDS}.{backend}", "OPTIONS": options})
    calls = [
        lambda: store.set("pk", "sk", "value"),
        lambda: store.set("pk", "sk", "value", not_set=True),
        lambda: store.set("pk", "sk", "value", constraint="old"),
        lambda: store.get("pk", "sk"),
        lambda: store.delete("pk", "sk"),
        lambda: store.delete("pk", "sk", constraint="old"),
    ]
    for call in calls:
        with pytest.raises(AccessException) as caught:
            call()
        assert caught.value.__cause__ is not None
        assert "secret" not in str(caught.value)
    store.close()


def test_error_tree() -> None:
    """S1: one root; errors carry the keys, through pickling too, and shorten them in the text."""
    kinds = (NotFoundException, AccessException, DataFormatException, ConfigurationException)
    for kind in kinds:
        assert issubclass(kind, StoreError) and issubclass(kind, CachebackError)
        copy = pickle.loads(pickle.dumps(kind("message", pk="p", sk="s")))
        assert (str(copy), copy.pk, copy.sk) == ("message", "p", "s")
    with pytest.raises(NotFoundException) as caught:
        LocalMemoryStore().get("p" * 2000, "s\n")
    assert caught.value.pk == "p" * 2000
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)


def test_conditions_do_not_tell_the_value() -> None:
    """An unmet condition's error names the entry and neither of the values."""
    store = LocalMemoryStore()
    store.set("pk", "sk", "secret")
    with pytest.raises(DataFormatException, match="'pk' / 'sk' is not") as caught:
        store.set("pk", "sk", "hidden", constraint="covert")
    assert not any(word in str(caught.value) for word in ("secret", "hidden", "covert"))


def test_memory_is_freed() -> None:
    """Expired entries that nobody asks for do not pile up in memory."""
    store = LocalMemoryStore()
    for number in range(5000):
        store.set("pk", str(number), "value", expire=1e-6)
    assert len(store._entries) <= 1000
    store.set("pk", "kept", "value")
    store.delete_expired()
    assert len(store._entries) == 1


def test_increment() -> None:
    """The suite's own counter counts."""
    store = LocalMemoryStore()
    store.set("pk", "sk", "41")
    assert increment(store, "pk", "sk") == 42
