"""Which records come back from JSON as they were saved, told by the types of their values.

What is saved is read at once, as it has to be valid then, and queries find what a reader gets. Of
many records that takes longest. Where each value is of the very type that its field is declared
with, and the model has no rules of its own, nothing else than these values can come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple

from .columns import are_native, zones

_TYPES = {
    "int": int,
    "str": str,
    "bool": bool,
    "float": float,
    "datetime": datetime,
    "date": date,
}

_EXPECTED = {
    "post_init": False,
    "custom_init": False,
    "root_model": False,
    "computed_fields": [],
    "init": True,
}
_UNIMPORTANT = {
    *("type", "cls", "ref", "config", "schema", "fields", "items_schema", "metadata", "title"),
    *("name", "dataclass_name", "model_name", "frozen", "slots", "kw_only", "collect_init_only"),
    *("default", "default_factory", "default_factory_takes_data", "microseconds_precision"),
    *("validation_alias", "serialization_alias"),
}
"""Parts of pydantic's schema of a model. Whatever else one has may be a rule of its own."""


class _Kind(NamedTuple):
    """What a field is declared to hold.

    :ivar member: what a list holds.
    """

    type: type
    member: _Kind | None = None
    is_optional: bool = False

    @property
    def innermost(self) -> Any:
        """What it holds in the end."""
        return self.type if self.member is None else self.member.innermost

    def holds(self, values: Sequence[Any]) -> bool:
        """Return whether all values are of this kind, and JSON can't change them."""
        if self.is_optional:
            values = [value for value in values if value is not None]
        if not values:
            return True
        if set(map(type, values)) != {self.type}:
            return False
        if self.member is not None:
            return self.member.holds(list(chain.from_iterable(values)))
        is_safe = _SAFE.get(self.type)
        return is_safe is None or is_safe(values)


_SAFE: dict[type, Callable[[Sequence[Any]], bool]] = {
    int: are_native,
    float: lambda values: all(map(isfinite, values)),
    # Of another time zone the offset would come back.
    datetime: lambda values: zones(values) <= {None, UTC},
}


class Exact:
    """Tells whether records of a model come back from JSON as they were saved.

    :ivar null_is_none: whether what JSON has as null can only be None, and no NaN.
    """

    def __init__(self, model: type, core_schema: Mapping[str, Any]) -> None:
        self._model = model
        try:
            found = [(attrgetter(name), kind) for name, kind in _kinds(core_schema)]
        except KeyError:
            found = []
        self._kinds = found
        self.null_is_none = bool(found) and float not in {kind.innermost for _, kind in found}

    def __call__(self, records: Sequence[Any]) -> bool:
        """Return whether all of them do; False also where that isn't known."""
        return (
            bool(self._kinds)
            and set(map(type, records)) == {self._model}
            and all(kind.holds(list(map(get, records))) for get, kind in self._kinds)
        )


def _kinds(schema: Mapping[str, Any]) -> Iterator[tuple[str, _Kind]]:
    """Return what each field of a model is declared to hold.

    :raises KeyError: when the model, or a field, may have rules of its own.
    """
    while schema["type"] in ("dataclass", "model"):
        _check(schema)
        schema = schema["schema"]
    _check(schema)
    fields = schema["fields"]
    named = fields.items() if isinstance(fields, dict) else ((one["name"], one) for one in fields)
    for name, field in named:
        _check(field)
        yield name, _kind(field["schema"])


def _kind(schema: Mapping[str, Any]) -> _Kind:
    _check(schema)
    match schema["type"]:
        case "default":
            return _kind(schema["schema"])
        case "nullable":
            return _kind(schema["schema"])._replace(is_optional=True)
        case "list":
            return _Kind(list, _kind(schema["items_schema"]))
        case name:
            return _Kind(_TYPES[name])


def _check(schema: Mapping[str, Any]) -> None:
    said = {**schema, **(schema.get("config") or {})}
    for key in said.keys() - _UNIMPORTANT:
        if said[key] != _EXPECTED[key]:
            raise KeyError(key)
