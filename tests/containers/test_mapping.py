"""C1, C4: a container is a mapping that fills itself, alike over every backend."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils.safestring import mark_safe

from cacheback_app.containers import CacheContainer, NotFound
from cacheback_app.stores import BaseStore, LocalMemoryStore
from tests.containers.conftest import Counted

KEYS = ["a/b", "../..", "\0", "a:b", " ", "\N{PILE OF POO}", "é", "k" * 2000, "greeting", "r:1:2"]


def test_what_is_missing_is_generated_once(greeting: CacheContainer, greet: Counted) -> None:
    """C1: the first read generates, and what it made is kept."""
    assert [greeting["Peter"], greeting["Peter"], greeting["William"]] == [
        "Hello Peter!",
        "Hello Peter!",
        "Hello William!",
    ]
    assert greet.keys == ["Peter", "William"]


def test_nothing_is_found_without_a_generator(store: BaseStore) -> None:
    """C1: NotFound, which is a KeyError, tells the container and the key."""
    container = CacheContainer("greeting", store)
    with pytest.raises(NotFound, match="'greeting' has nothing for 'Peter'") as caught:
        container["Peter"]
    assert isinstance(caught.value, KeyError)
    assert (caught.value.container, caught.value.key) == ("greeting", "Peter")


def test_get_generates_and_else_gives_the_default(greeting: CacheContainer) -> None:
    """C1: ``get`` is ``[key]``, with a default instead of NotFound."""
    assert greeting.get("Peter", "nobody") == "Hello Peter!"
    greeting.generator = None
    assert greeting.get("Peter", "nobody") == "Hello Peter!"
    assert greeting.get("William", "nobody") == "nobody"
    assert greeting.get("William") is None


def test_in_never_generates(greeting: CacheContainer, greet: Counted) -> None:
    """C4: ``in`` tells what is there."""
    assert "Peter" not in greeting
    greeting["Peter"]
    assert "Peter" in greeting
    assert greet.keys == ["Peter"]


def test_there_is_nothing_to_iterate_over(greeting: CacheContainer, greet: Counted) -> None:
    """C4: stores list no keys, and the error says no other thing."""
    for use in (iter, list, dict):
        with pytest.raises(TypeError, match="not iterable"):
            use(greeting)
    assert greet.keys == []


def test_deleting(greeting: CacheContainer, greet: Counted) -> None:
    """C4: a missing key is deleted in silence; reading what was deleted generates anew."""
    del greeting["Peter"]
    greeting["Peter"]
    del greeting["Peter"]
    assert "Peter" not in greeting
    greeting["Peter"]
    assert greet.keys == ["Peter", "Peter"]


def test_a_value_set_by_hand_is_served(greeting: CacheContainer, greet: Counted) -> None:
    """C1: what is there is not generated."""
    greeting["Peter"] = "Go away!"
    assert greeting["Peter"] == "Go away!"
    assert greet.keys == []


def test_values_expire(store: BaseStore, greet: Counted) -> None:
    """C4: expiry holds, for what is generated and what is set, and ``in`` knows."""
    container = CacheContainer("greeting", store, greet, 0.3)
    container["Peter"]
    container["William"] = "Go away!"
    assert container["Peter"]
    time.sleep(0.35)
    assert "William" not in container
    assert [container["Peter"], container["William"]] == ["Hello Peter!", "Hello William!"]
    assert greet.keys == ["Peter", "Peter", "William"]


def test_no_expiry_is_never(store: BaseStore, greet: Counted) -> None:
    """C4: without an expiry the store is told none, for values generated and set."""
    expiries = []
    write: Callable[..., Any] = store._set

    def spy(*args: Any) -> bool:
        expiries.append(args[-1])
        return bool(write(*args))

    store._set = spy  # type: ignore[method-assign]
    container = CacheContainer("greeting", store, greet)
    container["William"] = 1
    container["Peter"]
    assert expiries[0] is None
    assert expiries[-1] is None
    assert container.expire is None


def test_an_expiry_of_nothing_keeps_nothing(store: BaseStore, greet: Counted) -> None:
    """C4: with ``expire=0`` every read generates."""
    container = CacheContainer("greeting", store, greet, 0)
    assert [container["Peter"], container["Peter"]] == ["Hello Peter!"] * 2
    assert "Peter" not in container
    assert greet.keys == ["Peter", "Peter"]


def test_any_text_is_a_key(greeting: CacheContainer) -> None:
    """C1: keys are any text, and none is taken for another."""
    for number, key in enumerate(KEYS):
        assert greeting[key] == f"Hello {key}!"
        greeting[key] = {key: (key,)}
        assert [other in greeting for other in KEYS] == [
            other <= number for other in range(len(KEYS))
        ]
    for key in KEYS:
        assert greeting[key] == {key: (key,)}


def test_containers_share_a_store(store: BaseStore) -> None:
    """C1: containers of other names have other values, however their names are chosen."""
    names = [("a", "b/c"), ("a/b", "c"), ("a:b", "c"), ("a", "b:c")]
    made = [CacheContainer(name, store, Counted(lambda key, name=name: name)) for name, _ in names]
    values = [container[key] for container, (_, key) in zip(made, names, strict=True)]
    assert values == [name for name, _ in names]


@pytest.mark.parametrize("key", [None, 1, b"a", ("a",), True, 1.5])
def test_other_keys_are_refused(key: Any) -> None:
    """Keys are text: anything else is a TypeError, whatever is done."""
    container = CacheContainer("greeting", LocalMemoryStore(), str)
    with pytest.raises(TypeError, match="a key is text"):
        container[key]
    with pytest.raises(TypeError, match="a key is text"):
        container[key] = 1
    with pytest.raises(TypeError, match="a key is text"):
        del container[key]
    with pytest.raises(TypeError, match="a key is text"):
        assert key in container
    with pytest.raises(TypeError, match="a key is text"):
        container.get(key)


@pytest.mark.parametrize("key", ["", "\ud800"])
def test_what_is_no_key_is_refused(key: str) -> None:
    """A key has at least a character, and can be encoded: a ValueError, and nothing generated."""
    generated: list[str] = []
    container = CacheContainer("greeting", LocalMemoryStore(), generated.append)
    with pytest.raises(ValueError, match=r"empty|surrogate"):
        container[key]
    with pytest.raises(ValueError, match=r"empty|surrogate"):
        container[key] = (1, 2)
    assert generated == []


def test_safe_text_is_text() -> None:
    """A subclass of ``str`` is the key that it spells."""
    container = CacheContainer("greeting", LocalMemoryStore())
    container[mark_safe("Peter")] = 1
    assert container["Peter"] == 1


@pytest.mark.parametrize("name", [None, "", 1])
def test_a_container_has_a_name(name: Any) -> None:
    """A name is text and not empty."""
    with pytest.raises((TypeError, ValueError), match="the name of a container"):
        CacheContainer(name, LocalMemoryStore())


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_claim_ends(timeout: float) -> None:
    """A claim lasts for some time, and not for ever."""
    with pytest.raises(ValueError, match=r"timeout|duration"):
        CacheContainer("greeting", LocalMemoryStore(), timeout=timeout)


def test_the_attributes_are_those_of_the_seed() -> None:
    """``name``, ``backend``, ``expire`` in seconds, and ``generator``."""
    store = LocalMemoryStore()
    container = CacheContainer("greeting", store, str.upper, "1m")
    assert container.name == "greeting"
    assert container.backend is store
    assert container.expire == 60
    assert container.generator == str.upper
    assert repr(container) == "<CacheContainer 'greeting' on LocalMemoryStore>"
