"""Durations as people write them: 90, 1.5, "90", "1m", "30 seconds", "2:30", timedelta(hours=1)."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import overload

from pytimeparse.timeparse import timeparse

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
        parsed = timeparse(value)
        if parsed is not None:
            return parsed
        try:
            return float(value)  # seconds, which pytimeparse takes with a unit only
        except ValueError:
            raise ValueError(
                f"{value!r} is not a duration; write it like '90', '1m' or '2 hours'"
            ) from None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise TypeError(f"a duration is a number, text or timedelta, not {type(value).__name__}")
