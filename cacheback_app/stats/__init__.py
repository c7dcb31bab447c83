"""What all processes of a site did with their jobs, added up. ``docs/operations.md`` explains."""

from .figures import Failure, JobFigures, Minute, Oldest, Timing
from .reading import of_this_process, read, totals
from .sharing import flush

__all__ = [
    "Failure",
    "JobFigures",
    "Minute",
    "Oldest",
    "Timing",
    "flush",
    "of_this_process",
    "read",
    "totals",
]
