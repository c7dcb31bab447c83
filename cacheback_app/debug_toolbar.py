"""A panel of the Django Debug Toolbar: which jobs a request read, and how that went.

Add ``"cacheback_app.debug_toolbar.CachebackPanel"`` to ``DEBUG_TOOLBAR_PANELS``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

try:
    from debug_toolbar.panels import Panel
except ImportError as exc:
    raise ImproperlyConfigured(
        "The panel needs Django Debug Toolbar: pip install cacheback-app[debug-toolbar]"
    ) from exc

from .engine.status import HIT, MISS, STALE
from .panel.recording import Recorder, Value
from .previews import preview, printable

_NAMES = {MISS: "miss", HIT: "hit", STALE: "stale"}
_NONE = Value("", -1, None)  # the read raised, or caching is off


class CachebackPanel(Panel):
    """The reads of jobs that a request made: status, age, time, and the line that asked.

    Nothing is recorded, and no read is slowed down, while no request with this panel is served.
    """

    title = "Cached reads"
    nav_title = "Cacheback"
    template = "cacheback_app/debug_toolbar.html"
    is_async = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recorder = Recorder()

    @property
    def nav_subtitle(self) -> str:
        """What the side bar says beneath the title."""
        counts = self.get_stats().get("counts", {})
        return ", ".join(f"{counts[name]} {name}" for name in sorted(counts)) or "no reads"

    def enable_instrumentation(self) -> None:
        """Start to record."""
        self._recorder.start()

    def disable_instrumentation(self) -> None:
        """Stop to record."""
        self._recorder.stop()

    def generate_stats(self, request: HttpRequest, response: HttpResponse) -> None:
        """Keep what was recorded, as plain text and numbers."""
        reads = self._recorder.reads
        rows = [
            {
                "job": read.job,
                "key": value.key,
                "status": _NAMES.get(value.status, "no answer"),
                "age": value.age,
                "milliseconds": read.seconds * 1000,
                "fetched": read.fetched,
                "dispatched": value.key in read.dispatched,
                "error": read.error,
                "arguments": printable(preview(read.arguments)),
                "caller": read.caller,
            }
            for read in reads
            for value in (read.values or [_NONE])
        ]
        self.record_stats(
            {
                "reads": rows,
                "counts": dict(Counter(str(row["status"]) for row in rows)),
                "milliseconds": sum(read.seconds for read in reads if read.depth == 0) * 1000,
            }
        )

    def generate_server_timing(self, request: HttpRequest, response: HttpResponse) -> None:
        """Tell the browser's network panel."""
        stats = self.get_stats()
        title = f"{len(stats['reads'])} cached reads"
        self.record_server_timing("reads", title, stats["milliseconds"])
