"""A snapshot, and beside it a journal of what changed since; shared by processes.

``cache_x.json`` is the snapshot: a JSON document with one record a line, replaced as a whole.
``cache_x.journal`` continues it: a line for each change, with a checksum, on disk before the
change counts as made. Its first line names the snapshot that it continues, by a random generation.
When it has outgrown the snapshot, whoever writes next makes a new snapshot and an empty journal.

Writers hold a lock (``cache_x.lock``). Readers look whether the journal that they know has another
size, and read what was added, or was replaced, and read all.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from cacheback_app.engine import files

from .snapshot import Broken, Snapshot

logger = logging.getLogger("cacheback")

_SMALLEST = 64 * 1024
"""Bytes of a journal that are not worth a new snapshot yet."""

Line = tuple[bytes, ...]
"""A change: what it is as JSON, and the texts of its records."""


@dataclass
class _Position:
    """What was read of which journal, which is held open.

    :ivar continues: whether what is added to it counts.
    """

    descriptor: int
    end: int
    continues: bool = True

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.descriptor)


class Journal:
    """The files of one JSON cache."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshot = os.fspath(path)
        self._journal = os.fspath(path.with_suffix(".journal"))
        self._lock = os.fspath(path.with_suffix(".lock"))
        self._position: _Position | None = None
        self._is_loaded = False
        self._snapshot_size = 0

    def make_folder(self) -> None:
        """Make the folder of the files, if somebody has removed it."""
        self.path.parent.mkdir(files.PRIVATE_FOLDER, parents=True, exist_ok=True)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other writers out."""
        return files.locked(self._lock)

    def modified(self) -> int | None:
        """Return when the journal was changed, in nanoseconds; None when there is no news."""
        known = self._position
        if known is not None:
            # A file that was replaced, or removed, has no name any more.
            found = os.fstat(known.descriptor)
            is_known = found.st_size == known.end and found.st_nlink
            return None if is_known else found.st_mtime_ns
        return None if self._is_loaded and not os.path.exists(self._journal) else time.time_ns()

    def written_at(self) -> int:
        """Return when the journal that is known was last written, in nanoseconds; 0 if none is."""
        known = self._position
        return 0 if known is None else os.fstat(known.descriptor).st_mtime_ns

    def news(self) -> list[Line] | None:
        """Return what was added since we last read; None when all has to be read again."""
        known = self._position
        if known is None:
            return [] if self._is_loaded and not os.path.exists(self._journal) else None
        found = os.fstat(known.descriptor)
        if not (known.continues and found.st_nlink) or found.st_size < known.end:
            return None
        if found.st_size == known.end:
            return []
        lines, length, is_whole = _parse(_read(known.descriptor, known.end))
        if not is_whole:
            return None
        known.end += length
        return lines

    def load(self) -> tuple[Snapshot, list[Line], bool]:
        """Return all that is kept; call it with the lock held.

        What can't be read is set aside. The last of the three says whether that was so, and what
        is left has to be written anew.
        """
        self._position, self._is_loaded = None, True
        snapshot, is_broken = self._load_snapshot()
        try:
            descriptor = os.open(self._journal, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return snapshot, [], is_broken
        content = _read(descriptor, 0)
        lines, end, is_whole = _parse(content)
        head = lines.pop(0) if lines else None
        continues = head == (snapshot.generation.encode(),)
        self._position = _Position(descriptor, end, continues)
        if not is_whole:
            self._set_aside(self._journal, content)
        if not continues:
            self._position.end = len(content)
        # A broken snapshot doesn't tell what continues it, but nothing newer is known. What another
        # journal has is in the snapshot, unless somebody removed that to start anew.
        kept = lines if continues or is_broken else []
        return snapshot, kept, is_broken or not is_whole

    def append(self, line: Line) -> bool:
        """Add a change, on disk when this returns; call it with the lock held, and all news read.

        Returns False when it is time for a new snapshot, which has to have the change.
        """
        known = self._position
        if known is None or not known.continues or known.end > max(self._snapshot_size, _SMALLEST):
            return False
        self._truncate(known)
        content = _pack(line)
        try:
            files.write_all(known.descriptor, content, known.end)
            _sync(known.descriptor)
        except OSError:  # the disk is full: nobody may find half of it
            os.ftruncate(known.descriptor, known.end)
            raise
        known.end += len(content)
        return True

    def replace(self, snapshot: Snapshot) -> None:
        """Write a new snapshot and an empty journal; call it with the lock held."""
        generation = secrets.token_hex(8)
        content = snapshot.dump(generation)
        files.replace(self._snapshot, content, f"{self._snapshot}.new")
        first = _pack((generation.encode(),))
        files.replace(self._journal, first, f"{self._journal}.new")
        descriptor = os.open(self._journal, os.O_RDWR | getattr(os, "O_BINARY", 0))
        self._position = _Position(descriptor, len(first))
        self._is_loaded = True
        self._snapshot_size = len(content)

    def _load_snapshot(self) -> tuple[Snapshot, bool]:
        """Return the snapshot, and whether there was one that is broken."""
        try:
            with open(self._snapshot, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return Snapshot(), False
        self._snapshot_size = len(content)
        try:
            return Snapshot.load(content), False
        except Broken:
            self._set_aside(self._snapshot)
            return Snapshot(), True

    def _set_aside(self, path: str, content: bytes | None = None) -> None:
        aside = f"{path}.broken-{time.time_ns()}"
        if content is None:
            os.replace(path, aside)
        else:
            files.write(aside, content)
        logger.warning("%s is broken; it is kept as %s", path, aside)

    def _truncate(self, known: _Position) -> None:
        """Cut off what a writer left that was killed in the middle of a line."""
        if os.fstat(known.descriptor).st_size > known.end:
            os.ftruncate(known.descriptor, known.end)


def _read(descriptor: int, start: int) -> bytes:
    return files.read_all(descriptor, start, os.fstat(descriptor).st_size)


def _sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _pack(line: Line) -> bytes:
    # JSON has no raw tabs and newlines.
    content = b"\t".join(line)
    return b"%08x\t%b\n" % (crc32(content), content)


def _parse(content: bytes) -> tuple[list[Line], int, bool]:
    """Return the lines, up to where they reach, and whether all of them are whole.

    A last line without an end isn't counted: somebody is writing it, or was killed while doing so.
    """
    end = content.rfind(b"\n") + 1
    lines = list(_lines(content[:end]))
    whole = [line for line in lines if line is not None]
    return whole, end, len(whole) == len(lines)


def _lines(content: bytes) -> Iterator[Line | None]:
    for line in content.split(b"\n")[:-1]:
        checksum, _, text = line.partition(b"\t")
        yield tuple(text.split(b"\t")) if checksum == b"%08x" % crc32(text) else None
