"""Durations as people write them: 90, 1.5, "1m", "30 seconds", "2:30", timedelta(hours=1)."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import overload

from pytimeparse.timeparse import timeparse

_NUMBER = re.compile(r"\s*\d+(\.\d*)?\s*")

Duration = int | float | str | timedelta


@overload
def seconds(value: Duration) -> float: ...
@overload
def seconds(value: None) -> None: ...
def seconds(value: Duration | None) -> float | None:
    """Return a duration in seconds; None stays None.

    :raises ValueError: for text that is not a duration, NaN, or a negative duration.
    :raises TypeError: for anything that is neither number, text nor ``timedelta``.
    """
    if value is None:
        return None
    number = _number(value)
    if math.isnan(number) or number < 0:
        raise ValueError(f"{value!r} is not a duration")
    return number


def _number(value: Duration) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        parsed = float(value) if _NUMBER.fullmatch(value) else timeparse(value)
        if parsed is None:
            raise ValueError(f"{value!r} is not a duration; write it like '90', '1m' or '2 hours'")
        return parsed
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise TypeError(f"a duration is a number, text or timedelta, not {type(value).__name__}")
