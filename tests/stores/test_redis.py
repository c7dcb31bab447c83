"""RedisStore: round trips, and what happens when the server goes or forgets."""

import threading
from collections.abc import Callable, Iterator

import pytest

from cacheback_app.stores import AccessException, DataFormatException, RedisStore
from tests import services


@pytest.fixture
def store(shared_redis_server: services.RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(shared_redis_server.url())
    yield store
    store.close()


CALLS: dict[str, Callable[[RedisStore], object]] = {
    "get": lambda store: store.get("pk", "sk"),
    "set": lambda store: store.set("pk", "sk", "value", expire=60),
    "not_set": lambda store: store.set("pk", "other", "value", not_set=True),
    "constraint": lambda store: store.set("pk", "sk", "new", constraint="value"),
    "expiring constraint": lambda store: store.set("pk", "sk", "n", constraint="value", expire=9),
    "delete": lambda store: store.delete("pk", "sk"),
    "delete with constraint": lambda store: store.delete("pk", "sk", constraint="value"),
}


@pytest.mark.parametrize("name", CALLS)
def test_round_trips(
    store: RedisStore, shared_redis_server: services.RedisServer, name: str
) -> None:
    """Every call is one round trip, once the server knows the scripts."""
    store.set("pk", "sk", "value")
    store.set("pk", "sk", "value", constraint="value")
    store.delete("pk", "sk", constraint="value")
    store.set("pk", "sk", "value")
    with shared_redis_server.count_round_trips() as sent:
        CALLS[name](store)
    assert sum(sent.values()) == 1, sent


def test_forgotten_scripts(store: RedisStore, shared_redis_server: services.RedisServer) -> None:
    """A server that forgot the scripts (restarted, flushed) is told them again."""
    store.set("pk", "sk", "one")
    shared_redis_server.client().script_flush()
    store.set("pk", "sk", "two", constraint="one")
    shared_redis_server.client().script_flush()
    with pytest.raises(DataFormatException):
        store.delete("pk", "sk", constraint="one")
    store.delete("pk", "sk", constraint="two")


def test_keys(store: RedisStore, shared_redis_server: services.RedisServer) -> None:
    """Keys in Redis begin with the prefix, and stores of two prefixes share no entries."""
    other = RedisStore(shared_redis_server.url(), prefix="other:")
    store.set("a", "b", "value")
    other.set("a", "b", "other", not_set=True)
    client = shared_redis_server.client()
    assert set(client.keys()) == {b"cacheback.store:1:ab", b"other:1:ab"}
    assert store.get("a", "b") == "value"
    other.close()


def test_redis_expires_entries(
    store: RedisStore, shared_redis_server: services.RedisServer
) -> None:
    """Redis itself drops what expires, by its own clock; what never expires has no time to live."""
    store.set("a", "b", "value", expire="1m")
    client = shared_redis_server.client()
    assert 59_000 < client.pttl("cacheback.store:1:ab") <= 60_000
    store.set("a", "b", "new", constraint="value", expire="2m")
    assert 119_000 < client.pttl("cacheback.store:1:ab") <= 120_000
    store.set("a", "b", "newer", constraint="new")
    assert client.pttl("cacheback.store:1:ab") == -1


def test_outage(redis_server: services.RedisServer) -> None:
    """S1: a server that is gone is an AccessException, and is found again when it is back."""
    store = RedisStore(redis_server.url())
    store.set("pk", "sk", "value")
    redis_server.stop()
    for call in (CALLS["get"], CALLS["set"], CALLS["constraint"]):
        with pytest.raises(AccessException):
            call(store)
    redis_server.start()
    store.set("pk", "sk", "value", not_set=True)
    assert store.get("pk", "sk") == "value"
    store.close()


def test_nothing_is_sent_twice(redis_server: services.RedisServer) -> None:
    """S2: a write whose answer does not come in time is an AccessException, made at most once."""
    store = RedisStore(redis_server.url(), timeout=0.3)
    store.set("pk", "sk", "one")
    store.set("pk", "sk", "one", constraint="one")
    with redis_server.count_commands() as ran:
        redis_server.pause()
        resume = threading.Timer(
            0.45, redis_server.resume
        )  # within a second try, if there were one
        resume.start()
        with pytest.raises(AccessException):
            store.set("pk", "sk", "two", constraint="one")
        resume.join()
        assert store.get("pk", "sk") == "two"  # it was made, but its answer came too late
    assert ran["evalsha"] == 1
    store.close()


def test_foreign_type(store: RedisStore, shared_redis_server: services.RedisServer) -> None:
    """S1: a key that somebody made a list is an AccessException; it can be deleted."""
    shared_redis_server.client().rpush("cacheback.store:1:ab", "x")
    with pytest.raises(AccessException):
        store.get("a", "b")
    with pytest.raises(AccessException):
        store.set("a", "b", "value", constraint="x")
    store.delete("a", "b")
    store.set("a", "b", "value", not_set=True)


def test_what_is_no_text(store: RedisStore, shared_redis_server: services.RedisServer) -> None:
    """S1: a value that is no text, of somebody else's making, is an AccessException."""
    shared_redis_server.client().set("cacheback.store:1:ab", b"\xff")
    with pytest.raises(AccessException):
        store.get("a", "b")
    store.set("a", "b", "value")
    assert store.get("a", "b") == "value"
