"""Model instances as field values by name: what query set jobs cache instead of pickled instances.

An entry that was written before a deploy which added or dropped a field is read, or is a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_init, pre_init

Rows = tuple[str | None, tuple[str, ...], tuple[str, ...], list[tuple[Any, ...]], list[Any]]


def of(found: Sequence[Model]) -> Rows:
    """Return database alias, loaded and deferred fields, values, and annotations of each."""
    first = found[0]
    deferred = first.get_deferred_fields()
    names = [field.attname for field in first._meta.concrete_fields]
    loaded = tuple(name for name in names if name not in deferred)
    rows = [tuple(_plain(instance.__dict__[name]) for name in loaded) for instance in found]
    known = {*names, "_state"}
    extras = [
        {k: v for k, v in instance.__dict__.items() if k not in known and k[0] != "_"}
        for instance in found
    ]
    return first._state.db, loaded, tuple(sorted(deferred)), rows, extras if any(extras) else []


def _plain(value: Any) -> Any:
    # What a file's descriptor leaves behind holds the whole instance.
    return value.name if isinstance(value, FieldFile) else value


def instances(
    model: type[Model],
    db: str | None,
    loaded: Sequence[str],
    deferred: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    extras: Sequence[Mapping[str, Any]],
) -> list[Model]:
    """Return the instances that :func:`of` took apart.

    :raises LookupError: when the model has a field that they don't.
    """
    wanted = _attnames(model)
    if tuple(loaded) != wanted:
        loaded, rows = _fitted(wanted, loaded, deferred, rows)
    if _makes_instances_plainly(model):
        made = _made_plainly(model, db, loaded, rows)
    else:
        made = [model.from_db(db, loaded, row) for row in rows]
    for instance, extra in zip(made, extras, strict=False):
        instance.__dict__.update(extra)
    return made


def _makes_instances_plainly(model: type[Model]) -> bool:
    """Return whether nobody would notice that an instance was made without its ``__init__``."""
    return (
        model.__init__ is Model.__init__
        and model.from_db.__func__ is Model.from_db.__func__  # type: ignore[attr-defined]
        and not pre_init.has_listeners(model)
        and not post_init.has_listeners(model)
    )


def _made_plainly(
    model: type[Model], db: str | None, loaded: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[Model]:
    """Do what unpickling instances does; ``from_db`` takes three times as long."""
    made = []
    for row in rows:
        instance = model.__new__(model)
        state = ModelState()
        state.adding, state.db = False, db
        instance.__dict__.update(zip(loaded, row, strict=True), _state=state)
        made.append(instance)
    return made


def _fitted(
    wanted: Sequence[str],
    loaded: Sequence[str],
    deferred: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    new = set(wanted) - {*loaded, *deferred}
    if new:
        raise LookupError(f"the model has new fields: {', '.join(sorted(new))}")
    names = [name for name in wanted if name in loaded]
    places = [loaded.index(name) for name in names]
    return names, [tuple(row[place] for place in places) for row in rows]


@lru_cache(maxsize=256)
def _attnames(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)
