"""What a run came to: what was found, and what the contract allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Cells = tuple[str, str, str]
"""What was looked at, what was found, and what is allowed ("" where nothing is promised)."""

Row = tuple[Cells, Sequence[str]]
"""With the violations, one line each."""


@dataclass
class Outcome:
    """The rows of a run's table, and the violations in it."""

    conditions: Mapping[str, object] = field(default_factory=dict)
    """What the run was made under."""
    rows: list[Row] = field(default_factory=list)

    def add(self, cells: Cells, violations: Sequence[str] = ()) -> None:
        """Add one row."""
        self.rows.append((cells, violations))

    @property
    def violations(self) -> list[str]:
        """All violations; none means that the contract was kept."""
        return [violation for _, violations in self.rows for violation in violations]

    def lines(self) -> list[list[str]]:
        """Return the table."""
        head = ["what", "found", "allowed", "kept"]
        told = [[name, str(value), "", ""] for name, value in self.conditions.items()]
        return [head, *told, *([*cells, _verdict(cells, bad)] for cells, bad in self.rows)]


def _verdict(cells: Cells, violations: Sequence[str]) -> str:
    if violations:
        return "NO"
    return "yes" if cells[2] else ""
