"""The journal of a JSON cache: zeros that changes overwrite, and what interrupted writers leave."""

import os
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from cacheback_app.engine import files
from cacheback_app.records import JSONCache
from cacheback_app.records.journal import Journal
from tests.records.models import Tracker, endpoint_of

ONE, TWO, THREE, FOUR = map(Tracker, range(1, 5))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG = Tracker(2, "x" * 300, tags=["y" * 100])


@pytest.fixture
def cache(tmp_path: Path) -> JSONCache[Tracker]:
    """A JSON cache with one record in its snapshot, and another one in its journal."""
    cache: JSONCache[Tracker] = JSONCache(tmp_path, None, endpoint_of(Tracker))
    cache.add_entry(Tracker(0))
    cache.add_entry(ONE)
    return cache


def another(cache: JSONCache[Tracker]) -> JSONCache[Tracker]:
    """The cache as another process has it."""
    return JSONCache(cache.cache_path.parent, None, endpoint_of(Tracker))


def journal_of(cache: JSONCache[Tracker]) -> Path:
    return cache.cache_path.with_suffix(".journal")


def ids(cache: JSONCache[Tracker]) -> list[int]:
    return [record.id for record in cache.load_cache()]


def broken(cache: JSONCache[Tracker]) -> list[Path]:
    return list(cache.cache_path.parent.glob("*.broken-*"))


def length(journal: Path) -> int:
    return len(journal.read_bytes().rstrip(b"\0"))


def lost_power(cache: JSONCache[Tracker], survives: Callable[[int], bool]) -> None:
    """Add ``LONG``, of whose line only those parts of 16 bytes are on the disk that survive."""
    journal = journal_of(cache)
    before = journal.read_bytes()
    cache.add_entry(LONG)
    after = journal.read_bytes()
    parts = [
        (after if survives(start) else before)[start : start + 16]
        for start in range(0, len(after), 16)
    ]
    journal.write_bytes(b"".join(parts))


def test_an_add_changes_neither_size_nor_blocks(cache: JSONCache[Tracker]) -> None:
    """R4: what is added overwrites zeros, so that the disk has nothing else to write for it."""
    journal = journal_of(cache)
    size, blocks = journal.stat().st_size, journal.stat().st_blocks
    text = journal.read_bytes().rstrip(b"\0")
    for number in range(2, 200):
        cache.add_entry(Tracker(number))
    found = journal.stat()
    assert (found.st_size, found.st_blocks) == (size, blocks)
    content = journal.read_bytes()
    assert content.startswith(text) and content.rstrip(b"\0").endswith(b"\n")
    assert ids(another(cache)) == list(range(200))


def test_a_line_that_is_longer_than_the_zeros(cache: JSONCache[Tracker]) -> None:
    """R3, R4: a journal grows by zeros behind a line that doesn't fit, for others to go on with."""
    reader = another(cache)
    for number in range(2, 5):
        name = "x" * 50_000
        writer = cache if number % 2 else another(cache)
        writer.add_entry(Tracker(number, name))
        assert ids(reader) == ids(cache) == list(range(number + 1))
        assert journal_of(cache).stat().st_size % 65_536 == 0


def test_a_journal_without_zeros(cache: JSONCache[Tracker]) -> None:
    """R3: a journal that ends with its last line is read, and written on."""
    journal = journal_of(cache)
    journal.write_bytes(journal.read_bytes().rstrip(b"\0"))
    for number, writer in enumerate((cache, another(cache), cache), 2):
        writer.add_entry(Tracker(number))
        assert ids(writer) == ids(another(cache)) == list(range(number + 1))
    assert journal.read_bytes().endswith(b"\0")


@pytest.mark.parametrize("seed", range(40))
def test_any_part_of_a_line(cache: JSONCache[Tracker], seed: int) -> None:
    """R3: of a line that was being written when the power went, nothing is found, then or later.

    Any parts of it may be on the disk, the last ones without the first ones, too. It was not
    acknowledged, so nobody is warned.
    """
    chance = random.Random(seed)
    lost_power(cache, lambda start: chance.random() < 0.5)
    reader = another(cache)
    assert ids(reader) == [0, 1]
    for writer in (reader, another(cache)):
        writer.add_entry(THREE)  # whose line is shorter
        writer.add_entry(FOUR)
        assert ids(reader) == ids(another(cache)) == [0, 1, 3, 4]
    assert not broken(cache)


@time_machine.travel(NOON, tick=False)
def test_what_is_left_of_a_line_does_not_follow_the_next(cache: JSONCache[Tracker]) -> None:
    """R3: not even when the next line reaches up to it."""
    journal = journal_of(cache)
    end = length(journal)
    lost_power(cache, lambda start: start > end + 256)
    encoded = [len(cache.schema.encode(record)) for record in (THREE, LONG)]
    shortest = length(journal) - end + encoded[0] - encoded[1]
    left = end + len(re.match(rb"\0+", journal.read_bytes()[end:])[0])  # type: ignore[index]
    reader = another(cache)
    reader.add_entry(Tracker(3, "x" * (left - end - shortest)))
    assert ids(reader) == ids(another(cache)) == [0, 1, 3]
    assert not broken(cache)


@pytest.mark.parametrize("alive", [False, True], ids=["is started", "runs"])
def test_a_writer_that_is_killed(
    cache: JSONCache[Tracker], alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: the beginning of a line that a killed writer left is nothing to anybody.

    Also not to a process that has read what is before it, and writes a shorter line next.
    """
    other = another(cache)
    assert ids(other) == [0, 1]
    write_all = files.write_all

    def write_half(descriptor: int, content: bytes, start: int = 0) -> None:
        write_all(descriptor, content[:-5], start)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", write_half)
        with pytest.raises(KeyboardInterrupt):
            cache.add_entry(LONG)
    started = another(cache)
    assert ids(started) == ids(other) == [0, 1]
    writer = other if alive else started
    writer.add_entry(THREE)
    writer.add_entry(FOUR)
    for reader in (started, other, another(cache), cache):
        assert ids(reader) == [0, 1, 3, 4]
    assert not broken(cache)


def test_a_hole_in_a_journal(cache: JSONCache[Tracker], caplog: pytest.LogCaptureFixture) -> None:
    """R3: zeros in the middle are no end: what is behind them is kept, and one hears of it."""
    cache.add_entry(LONG)
    cache.add_entry(THREE)
    journal = journal_of(cache)
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b"x" * 300, b"\0" * 300))
    for reader in (another(cache), another(cache)):
        assert ids(reader) == [0, 1, 3]
    assert [path.read_bytes().count(b"\0") for path in broken(cache)] == [300]
    assert "journal is broken" in caplog.text


def test_a_journal_that_is_removed(cache: JSONCache[Tracker]) -> None:
    """R3: what is saved after somebody removed the journal alone is not written into nowhere."""
    journal_of(cache).unlink()
    cache.add_entry(TWO)
    assert ids(cache) == ids(another(cache)) == [0, 1, 2]


def test_a_snapshot_that_breaks_while_it_is_in_use(cache: JSONCache[Tracker]) -> None:
    """R3: who has all in memory notices that another process has begun anew, and goes on there."""
    cache.cache_path.write_bytes(b"{")
    other = another(cache)
    assert ids(other) == [1]  # which the journal has
    cache.add_entry(TWO)
    assert ids(cache) == ids(other) == ids(another(cache)) == [1, 2]


def test_a_journal_that_was_cut_off_while_it_is_in_use(cache: JSONCache[Tracker]) -> None:
    """R3: nothing is written behind the end of a file that somebody has shortened."""
    os.truncate(journal_of(cache), 20)
    cache.add_entry(TWO)
    assert ids(cache) == ids(another(cache)) == [0, 2]


def test_a_folder_that_is_removed_before_a_write(cache: JSONCache[Tracker]) -> None:
    """R3: a write makes the folder anew that somebody has removed, and begins anew in it."""
    for path in cache.cache_path.parent.iterdir():
        path.unlink()
    cache.cache_path.parent.rmdir()
    cache.add_entry(TWO)
    assert ids(cache) == ids(another(cache)) == [2]


def test_half_of_a_pair_of_surrogates(cache: JSONCache[Tracker]) -> None:
    """An id that no record can have is no record's: deleting it is fine."""
    cache.delete_entry({"id": "\ud800"})
    assert ids(cache) == ids(another(cache)) == [0, 1]


def test_what_failed_is_read_again(
    cache: JSONCache[Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: when a broken snapshot can't be replaced, the next call finds what the journal has."""
    cache.cache_path.write_bytes(b"{")
    reader = another(cache)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "replace", full)
        with pytest.raises(OSError, match="No space"):
            reader.load_cache()
    assert ids(reader) == ids(another(cache)) == [1]
