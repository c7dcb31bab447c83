"""The files of caches: broken ones, their growth, and models that changed."""

import json
import logging
import os
import sqlite3
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import time_machine
from pydantic import BaseModel, ConfigDict

from cacheback_app.engine import files
from cacheback_app.records import Indexed, JSONCache, JSONSession, Query, SqliteCache
from cacheback_app.records.journal import Journal
from cacheback_app.records.model import Schema
from tests.records.conftest import Make, close
from tests.records.models import Tracker, endpoint_of


@pytest.fixture
def json_cache(tmp_path: Path) -> JSONCache[Tracker]:
    """A JSON cache of trackers."""
    return JSONCache(tmp_path, None, endpoint_of(Tracker))


def another(cache: JSONCache[Tracker], **options: Any) -> JSONCache[Tracker]:
    return JSONCache(cache.cache_path.parent, None, endpoint_of(Tracker), **options)


def compacted(cache: JSONCache[Tracker], count: int) -> JSONCache[Tracker]:
    """Fill a cache so that all of it is in the snapshot."""
    cache.add_entry(*map(Tracker, range(count)))
    cache.session._journal.replace(cache.session.table.dump())  # type: ignore[union-attr]
    return another(cache)


def cut(path: Path, part: float) -> None:
    os.truncate(path, int(path.stat().st_size * part))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\x00" * 500, b"\xff" * 9, b"{}"])
def test_a_broken_file(make: Make, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """R3: a file that is none of ours is set aside with a warning, and the cache begins anew."""
    cache = make()
    cache.cache_path.write_bytes(content)
    assert cache.load_cache() == [] == list(cache.query())
    cache.add_entry(Tracker(1))
    assert make().load_cache() == [Tracker(1)]
    broken = [path for path in cache.cache_path.parent.iterdir() if ".broken-" in path.name]
    if kind_of(cache) == "SqliteCache" and content == b"":  # which is a new database
        return
    assert [path.read_bytes() for path in broken] == [content]
    assert "broken" in caplog.text


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(make: Make, part: float, caplog: pytest.LogCaptureFixture) -> None:
    """R3: a file that was cut off is set aside with a warning; nothing crashes then or later."""
    cache = make()
    cache.add_entry(*(Tracker(number, "x" * 100) for number in range(500)))
    close(cache)
    cut(cache.cache_path, part)
    cache = make()
    assert {record.id for record in cache.load_cache()} <= set(range(500))
    cache.add_entry(Tracker(1000))
    for reader in (cache, make()):
        assert reader.find_entry({"id": 1000}) == Tracker(1000)
        assert list(reader.query(Query("id", 1000))) == [Tracker(1000)]


def kind_of(cache: object) -> str:
    return type(cache).__name__


def test_what_the_journal_has(json_cache: JSONCache[Tracker]) -> None:
    """R3: of a broken snapshot, what changed since is still in the journal and is kept."""
    cache = compacted(json_cache, 3)
    cache.add_entry(Tracker(5))
    cut(cache.cache_path, 0.5)
    assert another(cache).load_cache() == [Tracker(5)]
    cache = another(cache)
    cache.add_entry(Tracker(6))
    assert another(cache).load_cache() == [Tracker(5), Tracker(6)]


def test_every_cut_of_a_journal(json_cache: JSONCache[Tracker]) -> None:
    """R3: a journal cut off at any byte is read up to the last whole line, and written on."""
    cache = compacted(json_cache, 1)
    journal = cache.cache_path.with_suffix(".journal")
    sizes = []
    for number in (1, 2):
        cache.add_entry(Tracker(number, "a\nb\tc"))
        sizes.append(len(journal.read_bytes().rstrip(b"\0")))
    content, snapshot = journal.read_bytes()[: sizes[1] + 3], cache.cache_path.read_bytes()
    for size in range(len(content), sizes[0] - 60, -1):
        journal.write_bytes(content[:size])
        reader = another(cache)
        whole = 1 + sum(size >= each for each in sizes)
        assert len(reader.load_cache()) == whole
        reader.add_entry(Tracker(9))
        assert len(reader.load_cache()) == len(another(cache).load_cache()) == whole + 1
        cache.cache_path.write_bytes(snapshot)


def test_a_broken_line(json_cache: JSONCache[Tracker], caplog: pytest.LogCaptureFixture) -> None:
    """R3: a line of the journal that isn't what was written is left out, and the file kept."""
    cache = compacted(json_cache, 1)
    for number in (1, 2, 3):
        cache.add_entry(Tracker(number, f"name {number}"))
    journal = cache.cache_path.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes().replace(b"name 2", b"name 9"))
    reader = another(cache)
    assert [record.id for record in reader.load_cache()] == [0, 1, 3]
    reader.add_entry(Tracker(4))
    assert [record.id for record in another(cache).load_cache()] == [0, 1, 3, 4]
    assert "journal is broken" in caplog.text


def test_removed_files(json_cache: JSONCache[Tracker]) -> None:
    """Whoever removes the snapshot starts anew, whatever the journal has."""
    json_cache.add_entry(Tracker(1))
    json_cache.add_entry(Tracker(2))
    json_cache.cache_path.unlink()
    cache = another(json_cache)
    assert cache.load_cache() == []
    cache.add_entry(Tracker(3))
    assert cache.load_cache() == another(cache).load_cache() == [Tracker(3)]


def test_a_crash_between_snapshot_and_journal(
    json_cache: JSONCache[Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: with a new snapshot and the old journal nothing is done twice, and nothing is lost."""
    cache = compacted(json_cache, 2)
    cache.add_entry(Tracker(1, "old"))
    cache.delete_entry({"id": 0})
    replace, done = files.replace, []

    def crash_later(path: str, *args: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(path)
        replace(path, *args)

    monkeypatch.setattr(files, "replace", crash_later)
    with pytest.raises(KeyboardInterrupt):
        cache.session._journal.replace(cache.session.table.dump())  # type: ignore[union-attr]
    monkeypatch.undo()
    reader = another(cache)
    assert reader.load_cache() == [Tracker(1, "old")]
    reader.update_entry(Tracker(1, "new"))
    assert another(cache).load_cache() == [Tracker(1, "new")]


def test_a_full_disk(json_cache: JSONCache[Tracker], monkeypatch: pytest.MonkeyPatch) -> None:
    """R3: a write that fails half-way is an error, changes nothing, and the next one works."""
    json_cache.add_entry(Tracker(1))
    write_all = files.write_all

    def write_half(descriptor: int, content: bytes, start: int = 0) -> None:
        write_all(descriptor, content[: len(content) // 2], start)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_all", write_half)
    with pytest.raises(OSError, match="No space"):
        json_cache.add_entry(Tracker(2))
    monkeypatch.undo()
    assert json_cache.load_cache() == [Tracker(1)]
    json_cache.add_entry(Tracker(3))
    assert another(json_cache).load_cache() == json_cache.load_cache() == [Tracker(1), Tracker(3)]


def test_adding_one_by_one(json_cache: JSONCache[Tracker], monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: adding n records one by one writes O(n) bytes and O(log n) snapshots."""
    snapshots = []
    replace = Journal.replace
    monkeypatch.setattr(
        Journal, "replace", lambda self, one: (snapshots.append(len(one.rows)), replace(self, one))
    )
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)
    for number in range(4000):
        json_cache.add_entry(Tracker(number, "x" * 100))
    assert len(snapshots) < 8 and sum(snapshots) < 2 * 4000
    assert len(another(json_cache).load_cache()) == 4000


def test_no_scan(json_cache: JSONCache[Tracker], monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: finding by id, and equality on an indexed field, read no other records."""
    json_cache.add_entry(*(Tracker(n, f"{n % 10}", tags=[f"{n % 5}"]) for n in range(100)))
    json_cache.query(Query("name", "1"))  # makes the index
    json_cache.query(Query("tags", "1"))
    read, counted = Schema.read, []
    monkeypatch.setattr(Schema, "read", lambda *args: (counted.append(1), read(*args))[1])
    assert json_cache.find_entry({"id": 5}) and len(counted) == 1
    assert len(json_cache.query(Query("name", ["3", "4"]))) == 20 and len(counted) == 21
    assert len(json_cache.query(Query("tags", "2"), Query("id", 7))) == 1 and len(counted) == 41


def test_an_index_is_used(tmp_path: Path) -> None:
    """R4: SQLite searches the indexes of marked fields, and of the id."""
    cache: SqliteCache[Tracker] = SqliteCache(tmp_path, None, endpoint_of(Tracker))
    tables = cache._made(cache.schema)
    for query in (Query("name", "a"), Query("name", ["a", "b"]), Query("id", 1)):
        statement, arguments = tables.select([query], False, 0.0)
        plan = cache._run(
            lambda connection: connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", arguments
            ).fetchall()
        )
        assert "SEARCH" in str(plan) and "USING INDEX" in str(plan), plan
    close(cache)


@pytest.mark.parametrize("kind", ["JSONCache"], indirect=True)
def test_the_newest_are_kept(make: Make) -> None:
    """R4: max_length keeps the newest; an update makes a record new."""
    cache = make(max_length=3)
    cache.add_entry(*map(Tracker, range(3)))
    cache.update_entry(Tracker(0, "new"))
    cache.add_entry(Tracker(7))
    for reader in (cache, make(max_length=3)):
        assert [record.id for record in reader.load_cache()] == [2, 0, 7]
        assert [record.id for record in reader.query(Query("name", ""))] == [2, 7]
    assert make(max_length=0).load_cache() == []
    with pytest.raises(ValueError, match="negative"):
        make(max_length=-1)


# Models that changed


@dataclass
class Old:
    __tablename__ = "thing"
    id: int
    name: str
    gone: str = "gone"
    changed: Any = "text"


@dataclass
class New:
    __tablename__ = "thing"
    id: int
    name: Annotated[str, Indexed()]
    changed: int = 0
    added: list[str] = field(default_factory=lambda: ["default"])


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    __tablename__ = "thing"
    id: int
    name: str


def test_a_model_that_changed(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """New fields have their default, dropped ones are gone, what isn't valid is left out."""
    caplog.set_level(logging.WARNING, "cacheback")
    make(model=Old).add_entry(Old(1, "a", changed="5"), Old(2, "b", changed="x"))
    assert not caplog.text
    for cache in (make(model=New), make(model=New)):
        assert cache.load_cache() == list(cache.query(Query("name", "a"))) == [New(1, "a", 5)]
        assert cache.find_entry({"id": 2}) is None
    assert "1 records" in caplog.text and "another version" in caplog.text
    cache.add_entry(New(2, "c"))
    assert [one.id for one in make(model=New).query(Query("added", "default"))] == [1, 2]


def test_a_model_that_allows_nothing_else(make: Make) -> None:
    """A field that was dropped is left out, also where the model forbids unknown ones."""
    make(model=Old).add_entry(Old(1, "a"))
    cache = make(model=Strict)
    assert cache.load_cache() == [Strict(id=1, name="a")]


def test_two_versions_at_once(make: Make) -> None:
    """While two versions of a site run, each reads what the other wrote; neither crashes."""
    old, new = make(model=Old), make(model=New)
    old.add_entry(Old(1, "a", changed=1))
    for number in range(2, 6, 2):
        new.add_entry(New(number, "b"))
        old.add_entry(Old(number + 1, "c", changed=1))
        assert list(old.query(Query("gone", "gone")))
        assert list(new.query(Query("added", "default")))
    assert {one.id for one in new.load_cache()} == {one.id for one in old.load_cache()}


def test_names_of_fields(make: Make) -> None:
    """Fields may be called what SQLite or a cache calls its own, or differ only in case."""
    names = [
        "id",
        "_number",
        "_record",
        "Name",
        "name",
        "order",
        "select",
        "_key",
        "rowid",
        "x_key",
    ]
    model = make_dataclass("Odd", [(name, int, 0) for name in names])
    cache = make(model=model)
    cache.add_entry(model(*range(1, len(names) + 1)))
    assert cache.load_cache() == [model(*range(1, len(names) + 1))]
    for number, name in enumerate(names, 1):
        assert len(list(cache.query(Query(name, number)))) == 1
        assert not list(cache.query(Query(name, 99)))


def test_somebody_elses_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A table of that name which isn't a cache's is renamed with a notice, not dropped."""
    with sqlite3.connect(tmp_path / "cache.sqlite") as connection:
        connection.execute("CREATE TABLE tracker (id INTEGER, name TEXT)")
        connection.execute("INSERT INTO tracker VALUES (1, 'theirs')")
    connection.close()
    cache: SqliteCache[Tracker] = SqliteCache(tmp_path, None, endpoint_of(Tracker))
    cache.add_entry(Tracker(2))
    assert cache.load_cache() == [Tracker(2)]
    assert "not a cache's" in caplog.text
    close(cache)


# Sessions


def test_a_session_by_itself(tmp_path: Path) -> None:
    """A session saves its data, loads it, and notices what others saved."""
    path = tmp_path / "own.json"
    session: JSONSession[Tracker] = JSONSession(max_length=3, data=[Tracker(1)], model=Tracker)
    session.save(path)
    other: JSONSession[Tracker] = JSONSession(model=Tracker)
    other.load(path)
    assert other.data == [Tracker(1)] and other.version == session.version
    assert json.loads(path.read_text())["records"] == [
        {"id": 1, "name": "", "start": None, "tags": [], "seconds": 0}
    ]
    other.table.extend([Tracker(2), Tracker(3)])
    other.table.remove(Tracker(1))
    assert not session.refresh(path)
    other.save(path)
    assert session.refresh(path) and not session.refresh(path)
    assert session.data == [Tracker(2), Tracker(3)] and session.modified > 0
    assert session.data[0] == Tracker(2) and session.data[1:] == [Tracker(3)]
    session.table.append(Tracker(4))
    other.table.append(Tracker(5))
    other.save(path)
    session.save(path)
    assert session.data == [Tracker(3), Tracker(5), Tracker(4)]
    assert session.process_data(map(Tracker, (1, 2, 1, 3, 4))) == list(map(Tracker, (1, 3, 4)))


def test_data_that_is_set_takes_the_place_of_what_was_there(
    json_cache: JSONCache[Tracker],
) -> None:
    """R3: after a commit memory and files agree; what others wrote meanwhile is not lost."""
    with time_machine.travel(0, tick=False) as clock:
        json_cache.add_entry(Tracker(1), Tracker(2), Tracker(3))
        clock.shift(60)
        other = another(json_cache)
        session = json_cache.session
        session.data = [record for record in session.data if record.id != 2]
        session.data = [*session.data, Tracker(4), Tracker(1, "new")]
        other.add_entry(Tracker(5))
        json_cache.commit()
        expected = [Tracker(3), Tracker(4), Tracker(1, "new"), Tracker(5)]
        for reader in (json_cache, other, another(json_cache)):
            assert sorted(map(repr, reader.load_cache())) == sorted(map(repr, expected))
        other.expire_after = 60
        assert Tracker(3) not in other.load_cache()  # it was not saved again
        session.data = []
        json_cache.commit()
        assert json_cache.load_cache() == another(json_cache).load_cache() == []


def test_a_cache_uses_its_session(json_cache: JSONCache[Tracker]) -> None:
    """What is appended to a cache's session is in the cache, and durable after a commit."""
    json_cache.add_entry(Tracker(1))
    json_cache.session.data.append(Tracker(2))  # type: ignore[attr-defined]
    assert json_cache.load_cache() == [Tracker(1), Tracker(2)]
    other = another(json_cache)
    other.add_entry(Tracker(3))
    assert len(other.load_cache()) == 2
    json_cache.commit()
    assert other.load_cache() == json_cache.load_cache() == list(map(Tracker, (1, 3, 2)))
    assert json_cache.session.max_length == 10_000
