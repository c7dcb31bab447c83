"""Files that the processes of one machine share: locked, and written so that they survive.

The lock is that of Django's file-based cache (``flock``, or ``LockFileEx`` on Windows), which costs
2 us where the filelock package takes 86, and no further dependency.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from django.core.files import locks

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # as Django's file-based cache

can_lock = bool(locks.LOCK_EX)
"""Whether this system can lock files."""


class locked:
    """Keeps all others out who lock ``path``, a file that is made when it is missing.

    A class, as the overhead of a generator is felt where the disk has emptied the CPU's caches.

    :param make_folder: whether a missing folder is made, too.
    :raises FileNotFoundError: when there is no such folder.
    """

    __slots__ = ("_descriptor", "_make_folder", "_path")

    def __init__(self, path: str, *, make_folder: bool = False) -> None:
        self._path = path
        self._make_folder = make_folder

    def __enter__(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except FileNotFoundError:
            if not self._make_folder:
                raise
            os.makedirs(os.path.dirname(self._path), PRIVATE_FOLDER, exist_ok=True)
            return self.__enter__()
        try:
            locks.lock(self._descriptor, locks.LOCK_EX)
        except BaseException:
            os.close(self._descriptor)
            raise
        return None

    def __exit__(self, *exc: object) -> None:
        try:
            # Closing alone would leave it to a child that was forked off meanwhile.
            locks.unlock(self._descriptor)
        finally:
            os.close(self._descriptor)


def write(path: str, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file, and wait until it would survive a loss of power."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        write_all(descriptor, content)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes, start: int = 0) -> None:
    """Write all of ``content`` at ``start``, in as many steps as the system wants."""
    left = memoryview(content)
    while left:
        written = _write_at(descriptor, left, start)
        left, start = left[written:], start + written


def read_all(descriptor: int, start: int, end: int) -> bytes:
    """Return what is in a file from ``start`` to ``end``, or to where it ends."""
    parts = []
    while start < end and (part := read_at(descriptor, end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _seek_and_read(descriptor: int, size: int, start: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, size)


def _seek_and_write(descriptor: int, content: memoryview, start: int) -> int:
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.write(descriptor, content)


# pread and pwrite leave the file's position alone, that a child shares.
read_at: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)
"""Returns up to so many bytes of a file from a position on."""

_write_at: Callable[[int, memoryview, int], int] = getattr(os, "pwrite", _seek_and_write)


def replace(path: str, content: bytes, new: str, *, durable: bool = True) -> None:
    """Replace a file: readers, and whoever comes after a crash, see the old or the new one.

    :param new: where to write it first, in the same folder; whoever may replace ``path`` holds a
        lock, so what a killed one leaves there is overwritten.
    """
    write(new, content, durable=durable)
    os.replace(new, path)
    if durable:
        sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Make the names in ``folder`` durable; Windows can't, and needn't."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
