"""stores["alias"], and the options of stores."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.containers import containers
from cacheback_app.stores import (
    CheckedStore,
    ConfigurationException,
    LocalFileStore,
    LocalMemoryStore,
    stores,
)
from cacheback_app.stores.handler import build

if TYPE_CHECKING:
    from tests.nowhere import Unknown  # type: ignore[import-not-found]

BACKENDS = "cacheback_app.stores"
MEMORY = {"BACKEND": f"{BACKENDS}.LocalMemoryStore"}


class Told(LocalMemoryStore):
    """A store that remembers what it was told."""

    def __init__(
        self,
        name: str,
        *,
        flag: bool = False,
        count: int = 0,
        ratio: float = 1.0,
        note: str | None = None,
        place: str | Path = "",
        extra: dict[str, Any] | None = None,
        odd: "Any" = None,
    ) -> None:
        super().__init__()
        names = ("name", "flag", "count", "ratio", "note", "place", "extra")
        given = locals()
        self.told = {option: given[option] for option in names}


class Unhinted(LocalMemoryStore):
    """A store whose annotations can't be evaluated."""

    def __init__(self, first: "Unknown" = "", **others: "Unknown") -> None:
        super().__init__()
        self.told = dict(first=first, **others)


class Broken(LocalMemoryStore):
    def __init__(self) -> None:
        raise OSError("no such device")


TOLD = {"BACKEND": f"{__name__}.Told", "OPTIONS": {"name": "n"}}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    stores.close()


def told(alias: str = "default") -> dict[str, Any]:
    store = stores[alias]
    assert isinstance(store, (Told, Unhinted))
    return store.told


def test_alias(settings: Any, folder: Path) -> None:
    """stores["alias"] is the configured store: made once, without touching the disk."""
    file = {"BACKEND": f"{BACKENDS}.LocalFileStore", "OPTIONS": {"path": folder}}
    settings.CACHEBACK_STORES = {"default": file, "memory": MEMORY}
    assert isinstance(stores["default"], LocalFileStore)
    assert stores["default"] is stores["default"]
    assert isinstance(stores["memory"], LocalMemoryStore)
    assert list(stores) == ["default", "memory"] and len(stores) == 2
    assert "memory" in stores and "other" not in stores
    assert not folder.exists()


def test_setting_changes(settings: Any) -> None:
    """A changed setting gives new stores, and the old ones are closed."""
    settings.CACHEBACK_STORES = {"default": TOLD}
    first = stores["default"]
    settings.CACHEBACK_STORES = {"default": MEMORY}
    assert stores["default"] is not first
    assert type(stores["default"]) is LocalMemoryStore


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ({"BACKEND": f"{BACKENDS}.LocalFileStore"}, "needs the option 'path'"),
        (
            {"BACKEND": f"{BACKENDS}.LocalFileStore", "OPTIONS": {"path": "x", "pth": 1}},
            "no option 'pth'; there are: path, durable",
        ),
        (
            {"BACKEND": f"{BACKENDS}.LocalFileStore", "OPTIONS": {"path": 3}},
            "the option 'path' must be str or Path, not int",
        ),
        (
            {"BACKEND": f"{BACKENDS}.LocalFileStore", "OPTIONS": {"path": "x", "durable": "yes"}},
            "the option 'durable' must be bool, not str",
        ),
        (
            {"BACKEND": f"{BACKENDS}.SQLiteStore", "OPTIONS": {"path": "x", "timeout": True}},
            "the option 'timeout' must be float, not bool",
        ),
        ({"BACKEND": f"{BACKENDS}.LocalMemoryStore", "OPTIONS": {"size": 3}}, "there are: none"),
        ({"BACKEND": f"{BACKENDS}.NoStore"}, "'cacheback_app.stores.NoStore' cannot be imported"),
        ({"BACKEND": "nostore"}, "'nostore' cannot be imported"),
        ({"BACKEND": "pathlib.Path"}, "'pathlib.Path' is not a BaseStore"),
        ({"BACKEND": f"{BACKENDS}.stores"}, "is not a BaseStore"),
        ({"BACKEND": LocalMemoryStore}, "'BACKEND' must be the dotted path"),
        ({}, "'BACKEND' must be the dotted path"),
        ("memory", 'is written {"BACKEND"'),
        ({**MEMORY, "LOCATION": "x"}, "'LOCATION' is neither 'BACKEND' nor 'OPTIONS'"),
        ({**MEMORY, "OPTIONS": ["x"]}, "'OPTIONS' must be a dict"),
        ({"BACKEND": f"{BACKENDS}.BaseStore"}, "abstract class"),
        ({"BACKEND": f"{__name__}.Broken"}, "no such device"),
        ({"BACKEND": f"{BACKENDS}.SQLiteStore", "OPTIONS": {"path": ":memory:"}}, "needs a file"),
        ({"BACKEND": f"{BACKENDS}.LocalFileStore", "OPTIONS": {"path": ""}}, "the option 'path'"),
        (
            {"BACKEND": f"{BACKENDS}.RedisStore", "OPTIONS": {"url": "http://host"}},
            "the option 'url'",
        ),
        (
            {"BACKEND": f"{BACKENDS}.SQLAlchemyStore", "OPTIONS": {"url": "secret"}},
            "the option 'url'",
        ),
        (
            {"BACKEND": f"{BACKENDS}.SQLAlchemyStore", "OPTIONS": {"url": "nosql://host"}},
            "the option 'url'",
        ),
        (
            {"BACKEND": f"{BACKENDS}.DynamoDBStore", "OPTIONS": {"url": "localhost"}},
            "the option 'url'",
        ),
        (
            {"BACKEND": f"{BACKENDS}.DatabaseStore", "OPTIONS": {"using": "none"}},
            "the option 'using'",
        ),
        (
            {"BACKEND": f"{BACKENDS}.DatabaseStore", "OPTIONS": {"namespace": "n" * 101}},
            "the option 'namespace'",
        ),
    ],
)
def test_bad_configuration(settings: Any, definition: Any, problem: str) -> None:
    """S1: a ConfigurationException tells the alias and what is wrong with which option."""
    settings.CACHEBACK_STORES = {"mine": definition}
    with pytest.raises(ConfigurationException) as caught:
        stores["mine"]
    assert "CACHEBACK_STORES['mine']: " in str(caught.value)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, ImproperlyConfigured)


@pytest.mark.parametrize("setting", ["CACHEBACK_STORES", "CACHEBACK_CONTAINERS"])
@pytest.mark.parametrize("value", [None, "default", ["default"]])
def test_a_setting_that_is_no_dict(settings: Any, setting: str, value: Any) -> None:
    """S1: a setting as a whole may be wrong, too."""
    setattr(settings, setting, value)
    asked = stores if setting == "CACHEBACK_STORES" else containers
    with pytest.raises(ConfigurationException, match=f"{setting} must be a dict, not"):
        asked["default"]


def test_unknown_alias(settings: Any) -> None:
    """S1: an alias that is not configured is an error that names those that are."""
    with pytest.raises(ConfigurationException, match=r"no store 'x' .* there are: none"):
        stores["x"]
    settings.CACHEBACK_STORES = {"a": MEMORY, "b": MEMORY}
    with pytest.raises(ConfigurationException, match=r"no store 'x' .* there are: 'a', 'b'"):
        stores["x"]


def test_environment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable CACHEBACK_STORE_<ALIAS>_<OPTION> overrides an option, as the option's type."""
    settings.CACHEBACK_STORES = {"default": TOLD}
    for name, text in {
        "CACHEBACK_STORE_DEFAULT_NAME": "12",
        "cacheback_store_default_flag": "Yes",
        "Cacheback_Store_Default_Count": "12",
        "CACHEBACK_STORE_DEFAULT_ratio": "0.5",
        "CACHEBACK_STORE_DEFAULT_NOTE": "",
        "CACHEBACK_STORE_DEFAULT_PLACE": "/var/store",
        "CACHEBACK_STORE_DEFAULT_EXTRA": '{"a": [1]}',
    }.items():
        monkeypatch.setenv(name, text)
    assert told() == {
        "name": "12",
        "flag": True,
        "count": 12,
        "ratio": 0.5,
        "note": None,
        "place": "/var/store",
        "extra": {"a": [1]},
    }


def test_environment_alone(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An option that is required may come from the environment alone."""
    settings.CACHEBACK_STORES = {"default": {"BACKEND": f"{BACKENDS}.LocalFileStore"}}
    monkeypatch.setenv("CACHEBACK_STORE_DEFAULT_PATH", str(tmp_path / "here"))
    monkeypatch.setenv("CACHEBACK_STORE_DEFAULT_DURABLE", "0")
    stores["default"].set("pk", "sk", "value")
    assert (tmp_path / "here").is_dir()


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("CACHEBACK_STORE_DEFAULT_NAEM", "x", "no option 'naem'"),
        ("CACHEBACK_STORE_DEFAULT_FLAG", "perhaps", "'perhaps' is neither true nor false"),
        ("CACHEBACK_STORE_DEFAULT_COUNT", "1.5", "not a value of the option 'count'"),
        ("CACHEBACK_STORE_DEFAULT_RATIO", "half", "not a value of the option 'ratio'"),
        ("CACHEBACK_STORE_DEFAULT_EXTRA", "{", "not a value of the option 'extra'"),
        ("CACHEBACK_STORE_DEFAULT_EXTRA", "[]", "the option 'extra' must be dict or None"),
    ],
)
def test_bad_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, problem: str
) -> None:
    """A variable that is no option, or not of its type, is an error that names it."""
    settings.CACHEBACK_STORES = {"default": TOLD}
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationException) as caught:
        stores["default"]
    assert problem in str(caught.value)
    assert "CACHEBACK_STORES['default']" in str(caught.value)


def test_environment_of_similar_aliases(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is that of the longest alias which it begins with."""
    settings.CACHEBACK_STORES = {"a": TOLD, "a-b": TOLD}
    monkeypatch.setenv("CACHEBACK_STORE_A_B_NAME", "of a-b")
    monkeypatch.setenv("CACHEBACK_STORE_A_NAME", "of a")
    monkeypatch.setenv("CACHEBACK_STORE_B_NAME", "of nobody")
    assert told("a")["name"] == "of a"
    assert told("a-b")["name"] == "of a-b"


def test_unhinted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constructor that can't be read, or takes anything, is given what there is."""
    definition = {"BACKEND": f"{__name__}.Unhinted", "OPTIONS": {"first": 1, "second": [2]}}
    settings.CACHEBACK_STORES = {"default": definition}
    monkeypatch.setenv("CACHEBACK_STORE_DEFAULT_FIRST", "text")
    assert told() == {"first": "text", "second": [2]}


@pytest.mark.parametrize(
    ("driver", "backend", "options", "extra"),
    [
        ("redis", "RedisStore", {"url": "redis://"}, "redis"),
        ("sqlalchemy", "SQLAlchemyStore", {"url": "sqlite://"}, "sqlalchemy"),
        ("botocore.exceptions", "DynamoDBStore", {}, "dynamodb"),
    ],
)
def test_missing_driver(
    monkeypatch: pytest.MonkeyPatch,
    driver: str,
    backend: str,
    options: dict[str, Any],
    extra: str,
) -> None:
    """A driver is imported by the constructor that needs it; the error names the extra."""
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConfigurationException, match=rf"pip install cacheback-app\[{extra}\]"):
        build("x", {"BACKEND": f"{BACKENDS}.{backend}", "OPTIONS": options})


def test_missing_dbapi() -> None:
    """S1: a database driver that is missing is a ConfigurationException as well."""
    url = "oracle+cx_oracle://scott:tiger@host"
    with pytest.raises(ConfigurationException, match="no engine") as caught:
        build("x", {"BACKEND": f"{BACKENDS}.SQLAlchemyStore", "OPTIONS": {"url": url}})
    assert "tiger" not in str(caught.value)


def test_all_is_complete() -> None:
    """What the package exports is there, and every backend is exported."""
    import cacheback_app.stores as package

    assert all(hasattr(package, name) for name in package.__all__)
    assert package.__all__ == sorted(package.__all__)
    backends = {cls.__name__ for cls in CheckedStore.__subclasses__()}
    shipped = {name for name in backends if hasattr(package, name)}
    assert shipped <= set(package.__all__) and len(shipped) == 7
