"""A snapshot, and beside it a journal of what changed since; shared by processes.

``cache_x.json`` is the snapshot: a JSON document with one record a line, replaced as a whole.
``cache_x.journal`` continues it: a line for each change, with a checksum, on disk before the
change counts as made. Its first line names the snapshot that it continues, by a random generation.
When it has outgrown the snapshot, whoever writes next makes a new snapshot and an empty journal.

Zeros follow the last line. A change overwrites some of them, so that the disk has to wait for the
line alone: neither the file's size nor its blocks change, which are written elsewhere.

Writers hold a lock (``cache_x.lock``). Readers look whether the zeros still follow what they know,
and read what was added; or whether the snapshot was replaced, and read all.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from cacheback_app.engine import files

from .snapshot import Broken, Snapshot

logger = logging.getLogger("cacheback")

_SMALLEST = 64 * 1024
"""Bytes of a journal that are not worth a new snapshot yet."""

_STEP = 64 * 1024
"""Bytes by which a journal grows: one change in hundreds has to wait for the file's size."""

_CHUNK = 16 * 1024
"""Bytes of a journal that are read at once; most news are shorter."""

_NOTHING = (b"\n\0", b"\n")
"""What is found around the end of a journal to which nothing was added."""

Line = tuple[bytes, ...]
"""A change: what it is as JSON, and the texts of its records."""


@dataclass
class _Known:
    """What was read of which files, which are held open.

    What looks at them often, looks at the snapshot: that a journal's time of modification was
    asked for makes the next change write it, too.

    :ivar journal: the one that continues the snapshot, None when none can be written on.
    :ivar end: up to where the journal was read.
    :ivar room: up to where the journal has zeros, as far as is known.
    :ivar is_clean: whether no beginning of a line was found at the end.
    """

    snapshot: int
    journal: int | None = None
    end: int = 0
    room: int = 0
    is_clean: bool = True

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.snapshot)
        if self.journal is not None:
            close(self.journal)

    def around_end(self) -> bytes:
        """Return the last byte that was read of the journal, and the one after it, if any.

        Nothing when the snapshot has lost its name: it was replaced, or removed.
        """
        if not os.fstat(self.snapshot).st_nlink:
            return b""
        return _NOTHING[0] if self.journal is None else files.read_at(self.journal, 2, self.end - 1)

    def written_at(self) -> int:
        """Return the time of modification in nanoseconds."""
        return os.fstat(self.snapshot if self.journal is None else self.journal).st_mtime_ns


class Journal:
    """The files of one JSON cache."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshot = os.fspath(path)
        self._journal = os.fspath(path.with_suffix(".journal"))
        self._lock = os.fspath(path.with_suffix(".lock"))
        self._known: _Known | None = None
        self._is_loaded = False
        self._snapshot_size = 0

    def lock(self) -> files.locked:
        """Keep other writers out; make the folder of the files, if somebody has removed it."""
        return files.locked(self._lock, make_folder=True)

    def has_news(self) -> bool:
        """Return whether the files have what isn't known, or may have."""
        known = self._known
        if known is not None:
            return known.around_end() not in _NOTHING
        return not self._is_loaded or os.path.exists(self._snapshot)

    def written_at(self) -> int:
        """Return when the journal that is known was last written, in nanoseconds; 0 if none is."""
        return 0 if self._known is None else self._known.written_at()

    def news(self) -> list[Line] | None:
        """Return what was added since we last read; None when all has to be read again."""
        known = self._known
        if known is None:
            return None if self.has_news() else []
        around = known.around_end()
        known.is_clean = around in _NOTHING
        if known.is_clean:
            return []
        if known.journal is None or not around.startswith(b"\n"):
            return None
        content = _until_zeros(known.journal, known.end)
        lines, length, is_whole = _parse(content)
        if not is_whole:
            return None
        known.end += length
        known.is_clean = length == len(content)
        return lines

    def load(self) -> tuple[Snapshot, list[Line], bool]:
        """Return all that is kept; call it with the lock held.

        What can't be read is set aside. The last of the three says whether that was so, and what
        is left has to be written anew.
        """
        self._known, self._is_loaded = None, True
        try:
            known = _Known(_open(self._snapshot))
        except FileNotFoundError:  # or removed, by somebody who starts anew
            return Snapshot(), [], False
        snapshot, is_broken = self._load_snapshot(known.snapshot)
        lines, is_whole = self._load_journal(known, snapshot.generation, is_broken=is_broken)
        is_broken = is_broken or not is_whole
        self._known, self._is_loaded = (None, False) if is_broken else (known, True)
        return snapshot, lines, is_broken

    def _load_snapshot(self, descriptor: int) -> tuple[Snapshot, bool]:
        """Return the snapshot, and whether it is broken."""
        self._snapshot_size = os.fstat(descriptor).st_size
        content = files.read_all(descriptor, 0, self._snapshot_size)
        try:
            return Snapshot.load(content), False
        except Broken:
            self._set_aside(self._snapshot, content)
            return Snapshot(), True

    def _load_journal(
        self, known: _Known, generation: str, *, is_broken: bool
    ) -> tuple[list[Line], bool]:
        """Return what continues the snapshot, and whether all of it could be read."""
        try:
            known.journal = descriptor = _open(self._journal)
        except FileNotFoundError:
            return [], True
        known.room = os.fstat(descriptor).st_size
        content = _without_zeros(files.read_all(descriptor, 0, known.room))
        lines, known.end, is_whole = _parse(_without_torn(content))
        head = lines.pop(0) if lines else None
        continues = head == (generation.encode(),)
        if not is_whole:
            self._set_aside(self._journal, content)
        if not continues or known.end < len(content):
            os.close(descriptor)
            known.journal = None
        # A broken snapshot doesn't tell what continues it, but nothing newer is known. What another
        # journal has is in the snapshot.
        return lines if continues or is_broken else [], is_whole

    def append(self, line: Line) -> bool:
        """Add a change, on disk when this returns; call it with the lock held, and all news read.

        Returns False when it is time for a new snapshot, which has to have the change.
        """
        known = self._known
        if known is None or known.journal is None or not self._can_go_on(known):
            return False
        content = _pack(line)
        end = known.end + len(content)
        if end > known.room:
            known.room = -(-end // _STEP) * _STEP
            content = content.ljust(known.room - known.end, b"\0")
        try:
            files.write_all(known.journal, content, known.end)
            _sync(known.journal)
        except OSError:  # the disk is full: nobody may find half of it
            known.room = known.end
            os.ftruncate(known.journal, known.end)
            raise
        known.end = end
        return True

    def replace(self, snapshot: Snapshot) -> None:
        """Write a new snapshot and an empty journal; call it with the lock held."""
        generation = secrets.token_hex(8)
        content = snapshot.dump(generation)
        files.replace(self._snapshot, content, f"{self._snapshot}.new")
        first = _pack((generation.encode(),))
        files.replace(self._journal, first.ljust(_STEP, b"\0"), f"{self._journal}.new")
        self._known = known = _Known(_open(self._snapshot))
        known.journal, known.end, known.room = _open(self._journal), len(first), _STEP
        self._is_loaded = True
        self._snapshot_size = len(content)

    def _can_go_on(self, known: _Known) -> bool:
        """Return whether a line can be added to the journal.

        It can't when that is large, was removed, or has the beginning of a line at its end, of a
        writer that was killed: who has loaded it since looks at nothing but the snapshot.
        """
        return (
            known.is_clean
            and known.end <= max(self._snapshot_size, _SMALLEST)
            and os.access(self._journal, os.F_OK)
        )

    def _set_aside(self, path: str, content: bytes) -> None:
        aside = f"{path}.broken-{time.time_ns()}"
        # A copy: who has the file open sees only when it is replaced that there is another one.
        files.write(aside, content)
        logger.warning("%s is broken; it is kept as %s", path, aside)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))


def _until_zeros(descriptor: int, start: int) -> bytes:
    """Return what is in a journal from ``start`` on."""
    parts, zero = [], b""
    while not zero and (part := files.read_at(descriptor, _CHUNK, start)):
        text, zero, _ = part.partition(b"\0")
        parts.append(text)
        start += len(part)
    return b"".join(parts)


def _without_zeros(content: bytes) -> bytes:
    """Return a journal without the zeros at its end."""
    text, _, rest = content.partition(b"\0")
    # Stripping takes twenty times as long, and these are all zeros as a rule.
    return text if rest == bytes(len(rest)) else content.rstrip(b"\0")


def _without_torn(content: bytes) -> bytes:
    """Return a journal without its last line, if that has zeros.

    When the power goes while a line is written, any part of it may be on the disk.
    """
    start, _, rest = content.partition(b"\0")
    return content if b"\n" in rest[:-1] else start


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
