"""A cache that can't be written, or read, costs no answer of the server's (J11)."""

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy

from cacheback_app import signals
from cacheback_app.engine import files
from cacheback_app.engine.outages import log
from cacheback_app.exceptions import MissingParentError, UnstorableValue
from cacheback_app.records import (
    CachedEndpoint,
    JSONCache,
    RecordCache,
    RequestMethod,
    Source,
    SqliteCache,
)
from tests.records.endpoint.api import PATH, Api, Tracker, endpoint_class
from tests.records.endpoint.conftest import Ask, Make
from tests.records.endpoint.test_single_flight import together

ALL = [Tracker(1, "a"), Tracker(2, "b"), Tracker(3, "c")]
POST, PUT, PATCH, DELETE = map(RequestMethod, ["POST", "PUT", "PATCH", "DELETE"])
LARGE = "x" * 100_000


@dataclass
class Failing:
    """A cache, and what makes it fail and work again."""

    cache: RecordCache[Any]
    fail: Callable[[], None]
    heal: Callable[[], None]
    error: type[Exception]
    can_be_read: bool = True
    in_need_of_room: bool = False
    """Whether only those changes fail that make a file larger."""


def json_that_fails(folder: Path, patch: pytest.MonkeyPatch, how: str) -> Failing:
    def full(descriptor: int, content: bytes, start: int = 0) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def read_only(path: str, **options: bool) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    name, fake = ("write_all", full) if how == "full" else ("locked", read_only)
    cache: JSONCache[Any] = JSONCache(folder)
    return Failing(cache, lambda: patch.setattr(files, name, fake), patch.undo, OSError)


def sqlite_that_fails(folder: Path, patch: pytest.MonkeyPatch, how: str) -> Failing:
    cache: SqliteCache[Any] = SqliteCache(folder)
    pragmas = {"full": "max_page_count = 1", "read-only": "query_only = ON"}
    is_failing = []

    @sqlalchemy.event.listens_for(cache.engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        if is_failing:  # it is never less than what the file has
            connection.execute(f"PRAGMA {pragmas[how]}")

    def switch(*state: bool) -> None:
        is_failing[:] = state
        cache.close()

    error = sqlite3.OperationalError
    return Failing(cache, lambda: switch(True), switch, error, in_need_of_room=how == "full")


def gone(folder: Path, patch: pytest.MonkeyPatch, how: str) -> Failing:
    """A cache of a user's own, whose server is away: it says itself what that looks like."""

    class Away(Exception):
        pass

    class Cache(JSONCache[Any]):
        is_away = False

        def is_failure(self, exc: Exception) -> bool:
            return isinstance(exc, Away)

        def _table(self, schema: Any) -> Any:
            self._reach()
            return super()._table(schema)

        def _write(self, change: Any) -> None:
            self._reach()
            super()._write(change)

        def _reach(self) -> None:
            if self.is_away:
                raise Away

    cache = Cache(folder)
    fail = lambda: patch.setattr(cache, "is_away", True)  # noqa: E731
    return Failing(cache, fail, patch.undo, Away, can_be_read=False)


KINDS = {
    "JSON, full": (json_that_fails, "full"),
    "JSON, read-only": (json_that_fails, "read-only"),
    "SQLite, full": (sqlite_that_fails, "full"),
    "SQLite, read-only": (sqlite_that_fails, "read-only"),
    "one's own": (gone, ""),
}


@pytest.fixture(params=KINDS)
def failing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Failing]:
    """A cache that is filled, and then fails."""
    log.reset()
    make, how = KINDS[request.param]
    with monkeypatch.context() as patch:
        failing = make(tmp_path, patch, how)
        yield failing
        failing.heal()


@pytest.fixture
def endpoint(api: Api, make: Make, failing: Failing) -> CachedEndpoint[Any]:
    """An endpoint that has asked once, whose cache then fails."""
    endpoint = make(api, failing.cache)
    endpoint.request("trackers")
    failing.fail()
    return endpoint


def test_a_get_has_the_servers_answer(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, failing: Failing,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """J11: what the server says reaches the caller. The failure is signalled, told of beside the
    answer, and one line in the log; afterwards the cache works as before."""
    seen: list[Any] = []

    def receive(sender: Any, path: str, exception: Exception, **rest: Any) -> None:
        seen.append((sender, path, exception))

    signals.records_failed.connect(receive)
    api.has({"id": 1, "name": LARGE})
    for _ in range(2):
        assert ask(endpoint, "trackers", refresh=True) == [Tracker(1, LARGE)]
        told = endpoint.last_answer
        assert told is not None and told.source is Source.NETWORK and told.error is None
        assert told.cache_error is not None
        cause = getattr(told.cache_error, "orig", told.cache_error)
        assert isinstance(cause, failing.error)
    assert {(sender, path) for sender, path, _ in seen} == {
        (type(endpoint), str(failing.cache.cache_path))
    }
    assert seen[-1][2] is told.cache_error
    lines = [line for line in caplog.records if line.levelno >= logging.WARNING]
    assert len(lines) == 1 and "The records of TrackerEndpoint cannot be kept" in lines[0].message
    failing.heal()
    signals.records_failed.disconnect(receive)
    asked = api.count
    assert ask(endpoint, "trackers", refresh=True) == [Tracker(1, LARGE)]
    assert endpoint.last_answer.cache_error is None
    assert ask(endpoint, "trackers") == [Tracker(1, LARGE)] and api.count == asked + 1


def test_a_304_has_what_is_kept(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, failing: Failing
) -> None:
    """J11, R6: what the server has confirmed is given, although that could not be noted; where it
    can't be read, the server is asked for all of it."""
    if failing.in_need_of_room:
        pytest.skip("this is noted")
    assert ask(endpoint, "trackers", refresh=True) == ALL
    told = endpoint.last_answer
    assert told.source is (Source.NOT_MODIFIED if failing.can_be_read else Source.NETWORK)
    assert told.cache_error is not None
    assert api.count == 2


@pytest.mark.parametrize("method", [POST, PUT, PATCH, DELETE])
def test_a_change_that_the_server_made(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, failing: Failing, method: RequestMethod
) -> None:
    """J11, R2: a change that was made is no error, or it would be made twice; and what is kept is
    not given as if it were fresh, neither now nor when the cache works again."""
    if failing.in_need_of_room and method is DELETE:
        pytest.skip("this is kept")
    path = "trackers" if method is POST else "trackers/2"
    body = None if method is DELETE else {"name": LARGE}
    changed = ask(endpoint, path, None, body, method)
    assert changed is None if method is DELETE else changed.name == LARGE
    assert endpoint.last_answer.cache_error is not None
    after = {
        POST: [*ALL, Tracker(4, LARGE)],
        DELETE: [ALL[0], ALL[2]],
    }.get(method, [ALL[0], Tracker(2, LARGE), ALL[2]])
    assert ask(endpoint, "trackers") == after
    failing.heal()
    assert ask(endpoint, "trackers") == after
    assert [one["method"] for one in api.log] == ["GET", method.value, "GET", "GET"]
    assert ask(endpoint, "trackers") == after
    assert api.count == 4 and endpoint.last_answer.source is Source.CACHE


def test_the_server_is_away_as_well(own_api: Api, make: Make, failing: Failing, ask: Ask) -> None:
    """After a change that was not kept, what is known to be old is still better than nothing; it
    is told to be stale."""
    endpoint = make(own_api, failing.cache, retries=0)
    ask(endpoint, "trackers")
    failing.fail()
    ask(endpoint, "trackers/2", None, {"name": LARGE}, PUT)
    own_api.kill()
    if not failing.can_be_read:
        with pytest.raises(httpx.ConnectError):
            ask(endpoint, "trackers")
        return
    assert ask(endpoint, "trackers") == ALL
    assert endpoint.last_answer.source is Source.STALE


def test_one_request_for_all_who_ask(
    api: Api, endpoint: CachedEndpoint[Any], failing: Failing
) -> None:
    """J11: single flight holds within the process, also after a change that could not be kept; all
    are told that nothing was."""
    endpoint.request("trackers/2", body={"name": LARGE}, method=PUT)
    api.will_answer({"gate": "gate"}, path=f"{PATH}/1")
    asked = api.count
    assert together(api, [endpoint] * 10) == [ALL[0]] * 10
    assert api.count == asked + 1


def test_models_in_one_file_are_behind_apart(
    api: Api, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one model's answers could be outdated says nothing of those of another in the file."""

    @dataclass
    class Label:
        id: int
        name: str

    failing = sqlite_that_fails(tmp_path, monkeypatch, "read-only")
    trackers = make(api, failing.cache)
    labels = endpoint_class(api, Label)(SqliteCache(tmp_path))
    for endpoint in (trackers, labels):
        endpoint.request("trackers")
    failing.fail()
    trackers.request("trackers/2", method=DELETE)
    failing.heal()
    labels.request("trackers/3", body={"name": "z"}, method=PUT)
    assert trackers.request("trackers") == [ALL[0], Tracker(3, "z")]
    labels.close()


def test_errors_may_be_wanted(
    api: Api, endpoint: CachedEndpoint[Any], ask: Ask, failing: Failing, settings: Any
) -> None:
    """J11: with ``CACHEBACK_IGNORE_CACHE_ERRORS = False`` the cache's own error is raised."""
    settings.CACHEBACK_IGNORE_CACHE_ERRORS = False
    api.has({"id": 1, "name": LARGE})
    errors = (failing.error, sqlalchemy.exc.OperationalError)
    with pytest.raises(errors):
        ask(endpoint, "trackers", refresh=True)
    with pytest.raises(errors):
        ask(endpoint, "trackers/1", None, {"name": "y" * 100_000}, PUT)


@pytest.mark.parametrize("error", [TypeError("x"), MissingParentError("x"), UnstorableValue("x")])
@pytest.mark.parametrize("where", ["answer", "keep_answer", "save_cache"])
def test_a_wrong_use_is_an_error(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch, ask: Ask, where: str, error: Exception
) -> None:
    """What is no failure of the cache is an error as ever, whether it reads or writes."""
    endpoint.cache = JSONCache(endpoint.cache.cache_path.parent / "another")

    def raise_it(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(endpoint.cache, where, raise_it)
    method = PUT if where == "save_cache" else RequestMethod.GET
    with pytest.raises(type(error)):
        ask(endpoint, "trackers/1", None, {"name": "z"}, method)


def test_what_sqlite_says(tmp_path: Path) -> None:
    """Of SQLite's errors those are failures that tell of its file, not of what was asked for."""
    cache: SqliteCache[Any] = SqliteCache(tmp_path)
    path = tmp_path / "x.sqlite"
    one, other = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
    one.execute("CREATE TABLE t (n UNIQUE)")
    one.execute("INSERT INTO t VALUES (1)")
    wrong = ["SELECT nothing FROM t", "INSERT INTO t VALUES (1)", "no SQL", "SELECT ?"]
    assert not any(cache.is_failure(error_of(one, sql)) for sql in wrong)
    other.execute("BEGIN IMMEDIATE")
    assert cache.is_failure(error_of(one, "INSERT INTO t VALUES (2)"))
    for connection in (one, other):
        connection.close()
    path.write_bytes(b"no database" * 100)
    broken = sqlite3.connect(path)
    assert cache.is_failure(error_of(broken, "SELECT * FROM t"))
    broken.close()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/none/x")
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
        engine.connect()
    assert cache.is_failure(caught.value)


def error_of(connection: sqlite3.Connection, sql: str) -> Exception:
    """Return what a statement raises."""
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(sql)
    return caught.value
