"""C3: the containers of the settings, of code, and of the flat form."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.containers import (
    ContainerAlreadyConfigured,
    ContainerRegistry,
    UnknownContainer,
    containers,
    init,
)
from cacheback_app.exceptions import ConfigurationException
from cacheback_app.stores import LocalMemoryStore, SQLAlchemyStore, SQLiteStore, stores
from tests.containers import greetings

GENERATOR = "tests.containers.greetings.generate"
GREETING = {"STORE": "default", "GENERATOR": GENERATOR, "EXPIRE": "1m"}


@pytest.fixture(autouse=True)
def _configured(settings: Any, tmp_path: Path) -> Any:
    settings.CACHEBACK_STORES = {
        "default": {"BACKEND": "cacheback_app.stores.LocalMemoryStore"},
        "file": {
            "BACKEND": "cacheback_app.stores.SQLiteStore",
            "OPTIONS": {"path": str(tmp_path / "store.sqlite3")},
        },
    }
    settings.CACHEBACK_CONTAINERS = {"greeting": GREETING}
    yield
    containers._registered.clear()
    containers.reset()
    containers._registered_before.clear()


# The settings


def test_the_containers_of_the_settings() -> None:
    """Section 4: store by alias, generator by dotted path, expiry as text."""
    container = containers["greeting"]
    assert container["Peter"] == "Hello Peter!"
    assert container is containers["greeting"]
    assert container.backend is stores["default"]
    assert (container.name, container.expire) == ("greeting", 60)
    assert container.generator is greetings.generate
    assert list(containers) == ["greeting"]
    assert containers.containers == {"greeting": container}


def test_a_change_of_the_settings_is_followed(settings: Any) -> None:
    """The containers are made anew when the settings change."""
    before = containers["greeting"]
    settings.CACHEBACK_CONTAINERS = {"greeting": {**GREETING, "EXPIRE": 5, "STORE": "file"}}
    assert containers["greeting"] is not before
    assert containers["greeting"].expire == 5
    assert isinstance(containers["greeting"].backend, SQLiteStore)
    settings.CACHEBACK_CONTAINERS = {}
    assert "greeting" not in containers


def test_a_container_needs_no_more_than_its_name(settings: Any) -> None:
    """The store is the default one, nothing is generated, and nothing expires."""
    settings.CACHEBACK_CONTAINERS = {"plain": {}}
    container = containers["plain"]
    assert container.backend is stores["default"]
    assert (container.generator, container.expire, container.timeout) == (None, None, 60)


def test_an_unknown_container() -> None:
    """The error is a KeyError and an ImproperlyConfigured, and tells which there are."""
    with pytest.raises(UnknownContainer, match=r"no container 'nope'; there are: 'greeting'") as no:
        containers["nope"]
    assert isinstance(no.value, KeyError)
    assert isinstance(no.value, ImproperlyConfigured)
    assert containers.get("nope") is None


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("default", "a container is written"),
        ({"STORE": "nope"}, "no store 'nope' in CACHEBACK_STORES; there are: 'default', 'file'"),
        ({"STORE": None}, "a store is named by text"),
        ({"STORE": "no.such.Store"}, "'no.such.Store' cannot be imported"),
        ({"BACKEND": "default"}, "unknown 'BACKEND'; there are: EXPIRE, GENERATOR, STORE, TIMEOUT"),
        ({"EXPIRE": "soon"}, "'soon' is not a duration"),
        ({"EXPIRE": -1}, "-1 is not a duration"),
        ({"EXPIRE": True}, "a duration is a number"),
        ({"TIMEOUT": 0}, "timeout must be a positive duration"),
        ({"TIMEOUT": None}, "timeout"),
        ({"GENERATOR": 5}, "a generator is a function or a dotted path, not int"),
    ],
)
def test_mistakes_are_told(settings: Any, setting: Any, told: str) -> None:
    """What can't be used is an error that tells where and why, and spares other containers."""
    settings.CACHEBACK_CONTAINERS = {"greeting": GREETING, "bad": setting}
    with pytest.raises(ConfigurationException) as caught:
        containers["bad"]
    assert str(caught.value).startswith("CACHEBACK_CONTAINERS['bad']")
    assert told in str(caught.value)
    assert containers["greeting"]["Peter"] == "Hello Peter!"


@pytest.mark.parametrize("path", ["no.such.generator", "generate", f"{GENERATOR}x"])
def test_a_generator_that_is_not_there(settings: Any, path: str) -> None:
    """It is imported at first use, and the error names it and its container."""
    settings.CACHEBACK_CONTAINERS = {"greeting": {**GREETING, "GENERATOR": path}}
    container: Any = containers["greeting"]
    container["William"] = "there"
    assert container["William"] == "there"
    for _ in range(2):  # the second one waits for no claim of the first
        with pytest.raises(ConfigurationException, match=f"'{path}' of the container 'greeting'"):
            container["Peter"]
    assert container.backend._entries.keys() == {("greeting", "William")}


def test_a_generator_that_is_no_function(settings: Any) -> None:
    """A dotted path that leads to something else is an error."""
    path = "tests.containers.greetings.NOT_A_FUNCTION"
    settings.CACHEBACK_CONTAINERS = {"greeting": {**GREETING, "GENERATOR": path}}
    with pytest.raises(ConfigurationException, match="is not a function"):
        containers["greeting"]["Peter"]


# In code


def test_creating_a_container() -> None:
    """C3: it is in memory; a name that is taken is an error, or else gives what there is."""
    other = containers.create_container("other")
    assert isinstance(other.backend, LocalMemoryStore)
    assert containers["other"] is other
    for name in ("other", "greeting"):
        with pytest.raises(ContainerAlreadyConfigured, match=name) as caught:
            containers.create_container(name)
        assert caught.value.container == name
    assert containers.create_container("other", exist_ok=True) is other
    assert containers.create_container("greeting", exist_ok=True).expire == 60


def test_registering_a_generator(caplog: pytest.LogCaptureFixture) -> None:
    """C3: it makes the values from now on, whether the container is in use already or not."""
    containers.register_generator("greeting", "Good day, {}!".format)
    assert containers["greeting"]["Peter"] == "Good day, Peter!"
    containers.register_generator("greeting", "Bye, {}!".format, expire="2m")
    assert containers["greeting"]["William"] == "Bye, William!"
    assert containers["greeting"].expire == 120
    assert not caplog.records


def test_registering_for_an_unknown_name(caplog: pytest.LogCaptureFixture) -> None:
    """C3: the container is made in memory, with a warning."""
    containers.register_generator("unknown", str.upper)
    assert containers["unknown"]["Peter"] == "PETER"
    assert isinstance(containers["unknown"].backend, LocalMemoryStore)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "The container 'unknown' is not configured; it is kept in memory")
    ]


def test_the_decorator() -> None:
    """C3: ``@containers.generator`` registers, and leaves the function as it is."""

    @containers.generator("greeting", expire="30 seconds")
    def generate(name: str) -> str:
        return f"Hi {name}!"

    assert generate("Peter") == "Hi Peter!"
    assert containers["greeting"]["Peter"] == "Hi Peter!"
    assert containers["greeting"].expire == 30


@pytest.mark.parametrize("generator", [5, b"path", ["a"]])
def test_what_is_no_generator(generator: Any) -> None:
    """A generator is a function or a dotted path."""
    with pytest.raises(TypeError, match="a generator is a function or a dotted path"):
        containers.register_generator("greeting", generator)


def test_what_decorators_registered_outlives_a_change(settings: Any) -> None:
    """Decorators do not run again when settings change; what these name comes first."""
    containers.register_generator("greeting", str.upper)
    containers.register_generator("unknown", str.upper)
    settings.CACHEBACK_CONTAINERS = {"greeting": {}}
    assert containers["greeting"]["Peter"] == "PETER"
    assert containers["unknown"]["Peter"] == "PETER"
    settings.CACHEBACK_CONTAINERS = {"greeting": GREETING}
    assert containers["greeting"].generator is greetings.generate


# The flat form


def test_the_example_of_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """The program in the seed's document prints what is printed there."""

    def greeting_generator(name: str) -> str:
        print(f'Generating the value for key "{name}".')
        return f"Hello {name}!"

    kvcache = init(
        {
            "backend.variable": "score.kvcache.backend.VariableCache",
            "container.greeting.backend": "variable",
        }
    )
    kvcache.register_generator("greeting", greeting_generator)
    print(kvcache["greeting"]["Peter"])
    print(kvcache["greeting"]["Peter"])
    print(kvcache["greeting"]["William"])
    assert capsys.readouterr().out == (
        'Generating the value for key "Peter".\n'
        "Hello Peter!\n"
        "Hello Peter!\n"
        'Generating the value for key "William".\n'
        "Hello William!\n"
    )


def test_the_other_example_of_the_ancestor(tmp_path: Path) -> None:
    """Backends by alias, with options, shared by containers; generators by path; expiries."""
    registry = init(
        {
            "backend.example": "score.kvcache.backend.FileCache",
            "backend.example.path": str(tmp_path / "filecache.sqlite3"),
            "container.greeter.backend": "example",
            "container.greeter.generator": GENERATOR,
            "container.greeter.expire": "1m",
            "container.counter.backend": "example",
            "container.counter.generator": "builtins.len",
            "container.counter.expire": "30 seconds",
            "container.own.backend": "score.kvcache.backend.FileCache",
            "container.own.backend.path": tmp_path / "own.sqlite3",
        }
    )
    assert isinstance(registry, ContainerRegistry)
    assert registry["greeter"]["Peter"] == "Hello Peter!"
    assert registry["counter"]["Peter"] == 5
    assert [registry[name].expire for name in registry] == [60, 30, None]
    assert registry["greeter"].backend is registry["counter"].backend
    registry["own"]["a"] = 1
    assert {path.name for path in tmp_path.glob("*.sqlite3")} == {
        "filecache.sqlite3",
        "own.sqlite3",
    }
    for name in ("greeter", "own"):
        registry[name].backend.close()


def test_the_options_of_sqlalchemy(tmp_path: Path) -> None:
    """``sqlalchemy.*`` is understood as ``engine_from_config`` does, text included."""
    registry = init(
        {
            "backend.db": "score.kvcache.backend.SQLAlchemyCache",
            "backend.db.sqlalchemy.url": f"sqlite:///{tmp_path / 'db.sqlite3'}",
            "backend.db.sqlalchemy.echo": "false",
            "container.greeting.backend": "db",
        }
    )
    store = registry["greeting"].backend
    assert isinstance(store, SQLAlchemyStore)
    assert store._engine.echo is False
    registry["greeting"]["Peter"] = (1, 2)
    assert registry["greeting"]["Peter"] == (1, 2)
    store.close()


def test_a_backend_by_alias_or_path(tmp_path: Path) -> None:
    """A backend is one of this configuration, one of the settings, or a dotted path."""
    registry = init(
        {
            "container.alias.backend": "file",
            "container.path.backend": "cacheback_app.stores.LocalMemoryStore",
            "container.none.generator": GENERATOR,
            "container.with.dots.expire": 5,
            "container.timed.timeout": "5s",
        }
    )
    assert registry["alias"].backend is stores["file"]
    assert isinstance(registry["path"].backend, LocalMemoryStore)
    assert isinstance(registry["none"].backend, LocalMemoryStore)
    assert registry["with.dots"].expire == 5
    assert registry["timed"].timeout == 5


def test_text_becomes_what_an_option_is(tmp_path: Path) -> None:
    """Options that are not text may be written as text, as in a file of configuration."""
    path = "cacheback_app.stores.SQLiteStore"
    options = {"path": str(tmp_path / "a"), "durable": "no", "timeout": "2.5"}
    flat = {f"backend.file.{name}": value for name, value in options.items()}
    registry = init({"backend.file": path, **flat, "container.a.backend": "file"})
    store: Any = registry["a"].backend
    assert (store._durable, store._timeout) == (False, 2.5)


def test_the_interface_is_the_same() -> None:
    """A registry of ``init`` creates, registers and decorates; it shares nothing with others."""
    registry, other = init({}), init({})
    registry.register_generator("greeting", str.upper)
    registry.create_container("other")
    with pytest.raises(ContainerAlreadyConfigured):
        registry.create_container("other")
    assert registry["greeting"]["Peter"] == "PETER"
    assert set(registry) == {"greeting", "other"}
    assert list(other) == []


@pytest.mark.parametrize(
    ("confdict", "told"),
    [
        ({"container.a.expires": "1m"}, "unknown 'container.a.expires'; keys are backend.NAME"),
        ({"containers.a.expire": "1m", "x": 1}, "unknown 'containers.a.expire', 'x'"),
        ({"container.a": "b"}, "unknown 'container.a'"),
        ({"container..backend": "b"}, "unknown 'container..backend'"),
        ({"backend": "b"}, "unknown 'backend'"),
        ({"": "b", 5: 6}, "unknown '', 5; "),
        ({"backend.a.path": "x"}, "backend.a.path: there is no backend.a"),
        ({"container.a.backend.path": "x"}, "container.a.backend.path: there is no container.a.ba"),
        ({"backend.a": "no.such.Store"}, "backend.a: BACKEND 'no.such.Store' cannot be imported"),
        ({"backend.a": "builtins.dict"}, "backend.a: BACKEND 'builtins.dict' is not a BaseStore"),
        ({"backend.a": None}, "backend.a: a backend is named by text"),
        (
            {"backend.a": "cacheback_app.stores.SQLiteStore"},
            "backend.a: SQLiteStore needs the option 'path'",
        ),
        (
            {"backend.a": "cacheback_app.stores.LocalMemoryStore", "backend.a.path": "x"},
            "backend.a: LocalMemoryStore has no option 'path'",
        ),
        ({"container.a.backend": "nope"}, "container.a.backend: no store 'nope'"),
        ({"container.a.backend": 5}, "container.a.backend: a backend is named by text"),
        ({"container.a.expire": "soon"}, "container.a: 'soon' is not a duration"),
        ({"container.a.generator": 5}, "container.a: a generator is a function"),
    ],
)
def test_mistakes_in_the_flat_form_are_told(confdict: Any, told: str) -> None:
    """Unknown keys, and values that can't be used, are named at once."""
    with pytest.raises(ConfigurationException) as caught:
        init(confdict)
    assert str(caught.value).startswith(told)


def test_the_configuration_is_left_as_it_was() -> None:
    """``init`` changes nothing in what it is given."""
    given = {"backend.a": "score.kvcache.backend.VariableCache", "container.a.backend": "a"}
    init(before := dict(given))
    assert before == given


def test_importing_needs_no_settings() -> None:
    """The package imports without configured settings, and loads no driver."""
    code = (
        "import sys, cacheback_app.containers\n"
        "from django.conf import settings; assert not settings.configured\n"
        "print(sorted({'redis', 'sqlalchemy', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
