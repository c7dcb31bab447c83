"""``docs/benchmarks.md``."""

from collections.abc import Sequence

from . import report

TEXT = """\
# Benchmarks

{table}

Measured {versions}.
"""


def render(rows: Sequence[report.Row]) -> str:
    """Return the document for ``rows``."""
    return TEXT.format(table=report.as_markdown(rows), versions=report.versions())
