"""Tables and progress of commands: by rich on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any, TextIO


def unwrapped(stream: Any) -> TextIO:
    """Return what a command's ``stdout`` or ``stderr`` writes to.

    Django's wrapper colours each piece that is written, and ends its line.
    """
    out: TextIO | None = getattr(stream, "_out", stream)
    return StringIO() if out is None else out  # None: the process was started without one


def give_up(stream: TextIO) -> None:
    """Let nothing more be written to ``stream``, whose reader is gone, at the process's end."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO
) -> None:
    """Write ``rows`` to ``stream``: a table on a terminal, else lines with tabs in them."""
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if _is_terminal(stream) and _has_rich():
        _rich_table(title, columns, lines, stream)
        return
    for line in [columns, *lines]:
        cells = (" ".join(cell.split()) for cell in line)
        stream.write("\t".join(cells) + "\n")


def _rich_table(
    title: str, columns: Sequence[str], lines: Sequence[Sequence[str]], stream: TextIO
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown: Any = Table(title=title or None)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for line in lines:
        shown.add_row(*map(Text, line))  # as it is: what is cached may look like markup
    Console(file=stream).print(shown)


class Progress(ABC):
    """How far a command is."""

    @abstractmethod
    def advance(self, n: int = 1) -> None:
        """Count ``n`` more as done."""

    @abstractmethod
    def note(self, text: str) -> None:
        """Write a line that stays."""


@contextlib.contextmanager
def progress(total: int | None, description: str, stream: TextIO) -> Iterator[Progress]:
    """Show a bar where ``stream`` is a terminal; elsewhere a line for each tenth that is done.

    :param total: None when it is not known.
    """
    stream = unwrapped(stream)
    if not (_is_terminal(stream) and _has_rich()):
        yield _Lines(total, description, stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(file=stream)) as bars:
        yield _Bar(bars, bars.add_task(description, total=total))


class _Bar(Progress):
    def __init__(self, bars: Any, task: Any) -> None:
        self._bars = bars
        self._task = task

    def advance(self, n: int = 1) -> None:
        self._bars.advance(self._task, n)

    def note(self, text: str) -> None:
        # As it is: what is noted may look like markup.
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Lines(Progress):
    def __init__(self, total: int | None, description: str, stream: TextIO) -> None:
        self._total = total
        self._description = description
        self._stream = stream
        self._done = self._tenths = 0

    def advance(self, n: int = 1) -> None:
        self._done += n
        if not self._total:
            return
        tenths = 10 * self._done // self._total
        if tenths > self._tenths:
            self._tenths = tenths
            self.note(f"{self._description}: {self._done} of {self._total}")

    def note(self, text: str) -> None:
        self._stream.write(text + "\n")


def _is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())


def _has_rich() -> bool:
    try:
        import rich  # noqa: F401
    except ImportError:  # the extra "cli" is not installed
        return False
    return True
