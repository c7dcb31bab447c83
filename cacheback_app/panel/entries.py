"""One cached call as the panel shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from cacheback_app.catalogue import KnownCall, KnownJob
from cacheback_app.engine.explaining import Explanation
from cacheback_app.engine.status import HIT, MISS
from cacheback_app.options import DURATIONS, Options
from cacheback_app.previews import preview, printable
from cacheback_app.templatetags.cacheback_panel import duration

from . import calls

NAMES = {MISS: "miss", HIT: "hit"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page tells of an entry."""

    explanation: Explanation
    status: str
    """ "hit", "stale" or "miss"."""
    reason: str
    """Why it is so, and what happens next."""
    preview: str | None
    """The beginning of the value; None where there is none, or none to be shown."""


def show(call: KnownCall, with_value: bool) -> Shown:
    """Return what there is to tell of ``call``; nothing is triggered.

    :raises Exception: what the job's own methods raise, such as ``tags``.
    """
    explanation = call.explain()
    found = call.peek() if with_value and explanation.status != MISS else None
    return Shown(
        explanation,
        NAMES.get(explanation.status, "stale"),
        _reason(explanation),
        None if found is None else preview(found[1]),
    )


def _reason(explanation: Explanation) -> str:
    """Say in a sentence why a value is what it is."""
    now = time.time()
    is_claimed = explanation.claimed_until is not None and explanation.claimed_until > now
    if explanation.status == HIT:
        return "Served as it is."
    if is_claimed and explanation.last_error is not None:
        held = duration((explanation.claimed_until or now) - now)
        return f"The last refresh failed; the next is tried in {held} at the earliest."
    what = "Nothing is cached" if explanation.status == MISS else "Its lifetime is over"
    if is_claimed:
        return f"{what}; a refresh was claimed, and is waiting for a worker or running."
    return f"{what}; the next read has it fetched."


def options(job: KnownJob) -> list[dict[str, Any]]:
    """Return the options of a job, as text, and whether they differ from the default."""
    return [
        {
            "name": name,
            "text": _text(name, value),
            "is_set": value != getattr(Options, name),
        }
        for name, value in calls.options_of(job).items()
    ]


def _text(name: str, value: Any) -> str:
    if name in DURATIONS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return duration(value)
    return printable(preview(value) if not isinstance(value, str) else value)
