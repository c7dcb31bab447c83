"""How the command shows times, values and objects."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from cacheback_app.previews import preview

STATUSES = ("miss", "hit", "stale")
"""By ``Job.MISS``, ``Job.HIT`` and ``Job.STALE``."""

LONGEST_VALUE = 500
"""Characters of a value that are shown at most."""


def write_json(content: Any, stream: TextIO) -> None:
    """Write ``content`` as one JSON document."""
    json.dump(content, stream, indent=2, default=str)
    stream.write("\n")


def value(content: Any) -> str:
    """Return a value in at most a few hundred characters."""
    return preview(content, LONGEST_VALUE)


def moment(timestamp: float | None) -> str:
    """Return a Unix timestamp as people read it."""
    if timestamp is None:
        return ""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment_and_distance(timestamp: float | None) -> str:
    """Return a Unix timestamp, and how far it is from now."""
    if timestamp is None:
        return ""
    away = timestamp - time.time()
    distance = f"in {span(away)}" if away > 0 else f"{span(-away)} ago"
    return f"{moment(timestamp)} ({distance})"


def span(seconds: float | None) -> str:
    """Return a time in the unit that suits it."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.4g} days"


def percent(fraction: float | None) -> str:
    """Return a fraction of one."""
    return "" if fraction is None else f"{fraction:.1%}"
