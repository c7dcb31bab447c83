"""An incremental scan of the shelf: it counts the files of what was put there since the last one.

Where it stands is one value in a store, the cursor and what was counted up to it together, and it
moves by compare-and-set. However many scans run at once, in whatever processes, each distribution
is counted by one of them; and one that is killed loses nothing but its last step.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError

from cacheback_app.stores import DataFormatException, NotFoundException, stores
from example_project.shelf import installed, report
from example_project.shelf.models import Distribution

_ENTRY = ("scan", "progress")


@dataclass(frozen=True, slots=True)
class Progress:
    """What all scans together have counted. `after` is the cursor: the id of the last row."""

    after: int = 0
    distributions: int = 0
    files: int = 0
    size: int = 0


def progress() -> Progress:
    """Return how far the scans have come."""
    return _read()[1]


def scan() -> Progress:
    """Count, with whoever else does, until all is counted; return what this scan contributed."""
    mine = Progress()
    while True:
        text, before = _read()
        row = Distribution.objects.filter(id__gt=before.after).order_by("id").first()
        if row is None:
            return mine
        files, size = _count(row.key)
        if _advance(text, _plus(before, row.id, files, size)):
            mine = _plus(mine, row.id, files, size)
        # Otherwise another scan has counted this one: look where it stands now.


def restart() -> None:
    """Forget what was counted, so that the next scan begins anew."""
    stores["default"].delete(*_ENTRY)


def _read() -> tuple[str | None, Progress]:
    try:
        text = stores["default"].get(*_ENTRY)
    except NotFoundException:
        return None, Progress()
    return text, Progress(**json.loads(text))


def _advance(before: str | None, after: Progress) -> bool:
    """Replace what was read by what comes after it, unless somebody else has done so."""
    text, is_first = json.dumps(asdict(after)), before is None
    try:
        stores["default"].set(*_ENTRY, text, not_set=is_first, constraint=before)
    except DataFormatException:
        return False
    return True


def _plus(so_far: Progress, row: int, files: int, size: int) -> Progress:
    return replace(
        so_far,
        after=row,
        distributions=so_far.distributions + 1,
        files=so_far.files + files,
        size=so_far.size + size,
    )


def _count(key: str) -> tuple[int, int]:
    """Return the number of a distribution's files and their size, none if it is gone."""
    try:
        counted = report.count([installed.find(key)])
    except PackageNotFoundError:
        return 0, 0
    return counted.files, counted.size
