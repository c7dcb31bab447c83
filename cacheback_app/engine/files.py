"""Files that the processes of one machine share: locked, and written so that they survive.

The lock is that of Django's file-based cache (``flock``, or ``LockFileEx`` on Windows), which costs
2 us where the filelock package takes 86, and no further dependency.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files import locks

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # as Django's file-based cache

can_lock = bool(locks.LOCK_EX)
"""Whether this system can lock files."""


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Keep all others out who lock ``path``, a file that is made when it is missing.

    :raises FileNotFoundError: when there is no such folder.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        locks.lock(descriptor, locks.LOCK_EX)
        try:
            yield
        finally:
            # Closing alone would leave it to a child that was forked off meanwhile.
            locks.unlock(descriptor)
    finally:
        os.close(descriptor)


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
        written = _pwrite(descriptor, left, start)
        left, start = left[written:], start + written


def read_all(descriptor: int, start: int, end: int) -> bytes:
    """Return what is in a file from ``start`` to ``end``, or to where it ends."""
    parts = []
    while start < end and (part := _pread(descriptor, end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _pread(descriptor: int, size: int, start: int) -> bytes:
    if hasattr(os, "pread"):  # which leaves the file's position alone, that a child shares
        return os.pread(descriptor, size, start)
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, size)


def _pwrite(descriptor: int, content: memoryview, start: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, content, start)
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.write(descriptor, content)


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
