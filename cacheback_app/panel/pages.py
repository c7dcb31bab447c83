"""Links that keep what a page was asked for: filter, order, page, and whether it is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.request import QueryDict

from .figures import COLUMNS, MINUTES, Column

SHOWN: Mapping[str, str] = {"all": "All jobs", "trouble": "With trouble", "used": "In use"}
"""What the overview can be narrowed down to."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the overview shows. Whatever a query string says, it is one that there is."""

    q: str
    show: str
    sort: str
    """A column's name; after ``-`` in descending order."""
    minutes: int
    live: bool
    page: str

    @classmethod
    def of(cls, query: QueryDict) -> Filter:
        """Return the filter that a query string asks for; what is no choice is the default."""
        show, sort = query.get("show", ""), query.get("sort", "")
        return cls(
            q=query.get("q", "").strip()[:200],
            show=show if show in SHOWN else "all",
            sort=sort if sort.removeprefix("-") in COLUMNS else "name",
            minutes=next((n for n in MINUTES if str(n) == query.get("minutes")), MINUTES[0]),
            live=query.get("live") != "0",
            page=query.get("page", "1"),
        )

    @property
    def column(self) -> Column:
        """The column to sort by."""
        return COLUMNS[self.sort.removeprefix("-")]

    @property
    def is_descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    @property
    def times(self) -> tuple[int, ...]:
        """The choices of ``minutes``."""
        return MINUTES

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The choices of ``show``, with their labels."""
        return list(SHOWN.items())

    @property
    def sorts(self) -> list[tuple[str, str]]:
        """The choices of ``sort``, with their labels; the one in use is among them."""
        usual = [(column.first_sort, column.label) for column in COLUMNS.values()]
        if self.sort in dict(usual):
            return usual
        order = "descending" if self.is_descending else "ascending"
        return [*usual, (self.sort, f"{self.column.label}, {order}")]


def here(request: HttpRequest, **changes: Any) -> str:
    """Return this page's address with other parameters; None takes one away."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def headings(request: HttpRequest, wanted: Filter) -> list[dict[str, Any]]:
    """Return the overview's column headings, each a link that sorts by it."""
    found = []
    for column in COLUMNS.values():
        is_current = column is wanted.column
        sort = column.first_sort
        if is_current and wanted.sort == sort:  # once more: the other way round
            sort = sort[1:] if sort.startswith("-") else f"-{sort}"
        order = "descending" if wanted.is_descending else "ascending"
        found.append(
            {
                "name": column.name,
                "label": column.label,
                "is_number": column.is_number,
                "sorted": order if is_current else None,
                "href": here(request, sort=sort, page=None),
            }
        )
    return found
