"""Whether the figures can be shared as they are to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from cacheback_app.conf import conf
from cacheback_app.durations import seconds


def check() -> Iterator[CheckMessage]:
    """Check ``CACHEBACK_STATS_INTERVAL``, which a thread would otherwise choke on later."""
    given: Any = conf.stats_interval
    try:
        if seconds(given) is None:
            raise ValueError("None is not a duration")
    except (TypeError, ValueError) as exc:
        yield Error(
            f"CACHEBACK_STATS_INTERVAL: {exc}",
            hint="docs/operations.md tells what it is.",
            id="cacheback.E007",
        )
