"""How the panel's pages write figures."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from django import template

from cacheback_app.durations import Duration
from cacheback_app.durations import seconds as seconds_of
from cacheback_app.previews import printable

register = template.Library()

NOTHING = "\N{EN DASH}"

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


@register.filter
def duration(seconds: float | None) -> str:
    """Return a span as people say it: "12 ms", "1.3 s", "4 min", "2 h", "3 d"; a dash for None."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if math.isinf(seconds):
        return "for ever"
    if 0 < seconds < 0.001:
        return "< 1 ms"
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in _SPANS:
        if seconds >= size * 2:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 and seconds != int(seconds) else f"{seconds:.0f} s"


@register.filter
def span(value: Duration) -> str:
    """Return a duration as a setting gives it, which may be text already."""
    return duration(seconds_of(value))


@register.filter
def percent(share: float | None) -> str:
    """Return a share of 1 in percent. Only all is "100 %", and only nothing "0 %"."""
    if share is None:
        return NOTHING
    hundredths = share * 100
    if 0 < hundredths < 0.1:
        return "< 0.1 %"
    if 99.9 < hundredths < 100:
        return "> 99.9 %"
    digits = 1 if 0 < hundredths < 10 or 90 < hundredths < 100 else 0
    return f"{hundredths:.{digits}f} %"


@register.filter
def moment(timestamp: float | None) -> datetime | None:
    """Return a Unix timestamp as a time, for Django's own filters."""
    if timestamp is None:
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, OSError, ValueError):  # for ever, or nearly
        return None


@register.filter
def safe_text(value: object) -> str:
    """Return the text of ``value`` in a form that a page can hold."""
    return printable(str(value))
