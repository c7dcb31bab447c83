"""Which records of a table have a value in a field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .answers import Key
from .values import DAY, Comparable, members


class Index:
    """The keys of records by the value of one field; a list is entered under each member."""

    def __init__(self, field: str) -> None:
        self.field = field
        self._keys: dict[Comparable, dict[Key, None]] = {}
        self._values: dict[Key, list[Comparable]] = {}

    def add(self, key: Key, value: object) -> None:
        """Enter a record that isn't entered yet."""
        self._values[key] = found = _entries(value)
        for entry in found:
            self._keys.setdefault(entry, {})[key] = None

    def remove(self, key: Key) -> None:
        """Take a record out, if it is entered."""
        for entry in self._values.pop(key, ()):
            keys = self._keys.get(entry, {})
            keys.pop(key, None)
            if not keys:
                self._keys.pop(entry, None)

    def find(self, values: Iterable[Comparable]) -> Iterator[Key]:
        """Return the keys of all records that may equal one of ``values``, each once."""
        found: dict[Key, None] = {}
        for kind, value in values:
            entry = ("moments of day", value) if kind == "day" else (kind, value)
            for keys in (self._keys.get((kind, value), {}), self._keys.get(entry, {})):
                found.update(keys)
        return iter(found)


def _entries(value: object) -> list[Comparable]:
    """Return what a value is entered under; a moment also under its day, for queries by date."""
    found = members(value)
    days = [("moments of day", moment // DAY) for kind, moment in found if kind == "moment"]
    return found + days
