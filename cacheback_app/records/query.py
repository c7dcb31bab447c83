"""What is asked of a cache's records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeGuard, TypeVar

from .values import LISTS, ORDERED, comparable, members

T = TypeVar("T")


class Comparison(Enum):
    """How the value of a field is compared with that of a query."""

    EQUAL = "=="
    LESS_THAN = "<"
    LESS_THAN_OR_EQUAL = "<="
    GREATER_THAN = ">"
    GREATER_THAN_OR_EQUAL = ">="


@dataclass(frozen=True)
class Query(Generic[T]):
    """One condition on the records that are wanted.

    A date is compared as that whole day in UTC. A list is equal to any of its members, and a field
    that holds a list is compared by its members: one that fits is enough.

    :param key: the name of a field.
    :param value: what to compare it with.
    :raises TypeError: for a comparison other than ``EQUAL`` with a value that has no order (None, a
        list, an object), a value that can't be compared with anything, or no ``Comparison``.
    :raises ValueError: for text that no file could hold (a lone surrogate).
    """

    key: str
    value: T | Iterable[T]
    comparison: Comparison = Comparison.EQUAL

    def __post_init__(self) -> None:
        if not isinstance(self.comparison, Comparison):
            raise TypeError(f"{self.comparison!r} is no Comparison")
        if _is_several(self.value):
            # Read once and for all, as an iterator can't be read again.
            object.__setattr__(self, "value", tuple(self.value))
        for kind, represented in members(self.value):
            if kind == "text":
                represented.encode()
        if self.comparison is Comparison.EQUAL:
            return
        kind = "list" if isinstance(self.value, LISTS) else comparable(self.value)[0]
        if kind not in ORDERED | {"nan"}:
            raise TypeError(
                f"{self.key!r} can't be compared with {self.value!r} by"
                f" {self.comparison.name}: it has no order"
            )


def _is_several(value: object) -> TypeGuard[Iterable[object]]:
    """Return whether ``value`` is to be read as a list though it is none: a range, an iterator."""
    one = (str, bytes, bytearray, memoryview)
    return isinstance(value, (Sequence, Set, Iterator)) and not isinstance(value, (*one, *LISTS))
