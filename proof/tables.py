"""Tables, as a terminal and as a document show them, and the page that they are written into."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "proof.md"

Lines = Sequence[Sequence[str]]
"""A table: the first line holds the headings."""


@dataclass(frozen=True)
class Made:
    """What a command has to show."""

    tables: Mapping[str, Lines]
    """By the section of the document that each belongs to."""
    violations: Sequence[str]


def as_text(lines: Lines) -> str:
    """Return the table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(lines: Lines) -> str:
    """Return the table for a document."""
    head, *rest = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rest])


def measured(command: str) -> str:
    """Return the line that tells with what, and when, a table was made."""
    names = ("Django", "celery", "redis", "psycopg")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    today, python = f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version()
    return f"`{command}`, {today}, Python {python}, {versions}, {os.cpu_count()} CPUs."


def write(section: str, lines: Lines, command: str) -> None:
    """Put a table in the place of the one that the document has in that section."""
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    before, _, rest = DOCUMENT.read_text().partition(begin)
    _, _, after = rest.partition(end)
    body = f"{begin}\n\n{as_markdown(lines)}\n\n{measured(command)}\n\n{end}"
    DOCUMENT.write_text(f"{before}{body}{after}")
