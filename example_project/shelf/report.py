"""The report of one distribution and the totals over all: honestly slow, as they go to the disk."""

import csv
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from example_project.shelf import installed

_CHUNK = 1 << 18  # 256 KiB: few system calls, and no file is ever in memory whole
_LARGEST = 5


@dataclass(frozen=True, slots=True)
class LargeFile:
    """One of the largest files of a distribution."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Report:
    """What reading every file of a distribution told."""

    listed: bool  # False: the distribution does not say which files are its own
    files: int
    size: int
    python_lines: int
    sha256: str
    licence: str
    unreadable: int
    largest: tuple[LargeFile, ...] = ()
    dependants: tuple[tuple[str, str], ...] = ()  # (key, name)


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures over the whole shelf."""

    distributions: int
    files: int
    size: int
    licences: tuple[tuple[str, int], ...]


def listed_files(distribution: metadata.Distribution) -> list[tuple[str, Path]] | None:
    """Return (relative path, place on disk) of the distribution's files, sorted; None if unlisted.

    Left out are byte code, which Python makes and remakes, and whatever lies outside the
    folder that the distribution is installed in (`../../../bin/tool`): installers write those
    scripts for this machine, and a list of files must not lead a reader over the whole disk.
    """
    try:
        entries = distribution.files
    except (OSError, ValueError, csv.Error):
        return None
    if entries is None:
        return None
    kept = {
        entry.as_posix(): Path(str(distribution.locate_file(entry)))
        for entry in entries
        if not entry.is_absolute() and ".." not in entry.parts and entry.suffix != ".pyc"
    }
    return sorted(kept.items())


def read(
    distribution: metadata.Distribution,
    dependants: Iterable[tuple[str, str]] = (),
    largest: int = _LARGEST,
) -> Report:
    """Read every file of the distribution; tell of the ``largest`` so many.

    The digest is SHA-256 over the sorted relative paths, each followed by NUL and the SHA-256 of
    its content (nothing for a file that cannot be read), so it depends on nothing else.
    """
    files = listed_files(distribution)
    tree = hashlib.sha256()
    sizes: dict[str, int] = {}
    lines = unreadable = 0
    for name, path in files or ():
        tree.update(name.encode("utf-8", "surrogateescape") + b"\0")
        content = hashlib.sha256()
        size = breaks = 0
        last = b"\n"
        try:
            for chunk in _chunks(path):
                content.update(chunk)
                size += len(chunk)
                breaks += chunk.count(b"\n")
                last = chunk[-1:]
        except (OSError, ValueError):
            unreadable += 1
            continue
        tree.update(content.digest())
        sizes[name] = size
        if name.endswith(".py"):
            lines += breaks + (last != b"\n")
    by_size = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return Report(
        listed=files is not None,
        files=len(sizes),
        size=sum(sizes.values()),
        python_lines=lines,
        sha256=tree.hexdigest(),
        licence=installed.licence(distribution),
        unreadable=unreadable,
        largest=tuple(LargeFile(name, size) for name, size in by_size[:largest] if size),
        dependants=tuple(sorted(dependants)),
    )


def beginning(path: Path) -> str:
    """Return the text at the beginning of a file, "" when it cannot be read."""
    try:
        return next(_chunks(path), b"").decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _chunks(path: Path) -> Iterator[bytes]:
    with open(path, "rb", buffering=0, opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        while chunk := file.read(_CHUNK):
            yield chunk


def _open_without_waiting(path: str, flags: int) -> int:
    # A named pipe in the list must not hold the reader until somebody writes to it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def count(distributions: Iterable[metadata.Distribution]) -> Totals:
    """Ask the disk for the size of every file of every distribution."""
    number = files = size = 0
    licences: Counter[str] = Counter()
    for distribution in distributions:
        number += 1
        licences[installed.licence(distribution) or "not stated"] += 1
        for _, path in listed_files(distribution) or ():
            try:
                size += path.stat().st_size
            except (OSError, ValueError):
                continue
            files += 1
    ranked = sorted(licences.items(), key=lambda item: (-item[1], item[0]))
    return Totals(number, files, size, tuple(ranked))
