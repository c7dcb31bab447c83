"""Writes that happen only if the item is as the writer knows it: compared and written in one go."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import JSONField, QuerySet, Value

from sodarcache.api import SODARCacheAPI
from sodarcache.models import JSONCacheItem
from sodarcache.new_item import NewItem
from sodarcache.statements import LivingUser
from sodarcache.writing import settled

from .preconditions import PreconditionFailed, Preconditions


def set_if(preconditions: Preconditions, new: NewItem) -> JSONCacheItem:
    """Set an item as ``set_cache_item`` does, if the preconditions hold; return it without its pk.

    The comparison is the ``WHERE`` of an ``UPDATE``, or the unique index, so that of racing writers
    who know the same state one wins.

    :raises PreconditionFailed: when they don't hold, and nothing is changed.
    :raises ValueError: as ``set_cache_item``.
    """
    item = SODARCacheAPI.unsaved_item(new)
    using = router.db_for_write(JSONCacheItem)

    def write() -> bool:
        return _updated(preconditions, item) or (
            preconditions.allow_absent and _inserted(item, using)
        )

    if settled(write, using):
        return item
    raise PreconditionFailed


def delete_if(preconditions: Preconditions, items: QuerySet[JSONCacheItem]) -> bool:
    """Delete those of ``items`` (one at most) that the preconditions allow; return whether one was.

    :raises PreconditionFailed: when there is one that they don't allow, or none though they ask
        for one.
    """
    states = preconditions.states
    using = router.db_for_write(JSONCacheItem)
    # One DELETE. delete() first loads the row for whoever listens to signals of all models, and
    # then deletes what has its key, whatever state that is in.
    if states is not None and settled(lambda: items.filter(states)._raw_delete(using), using):
        return True
    if not preconditions.allow_absent or items.exists():
        raise PreconditionFailed
    return False


def _updated(preconditions: Preconditions, item: JSONCacheItem) -> bool:
    states = preconditions.states
    if states is None:
        return False
    values: dict[str, Any] = {
        "data": Value(item.data, JSONField()),
        "date_modified": item.date_modified,
        "revision": item.revision,
        "is_invalidated": False,
    }
    if item.user_id is not None:
        values["user"] = LivingUser(item)
    same = JSONCacheItem.objects.filter(
        project=item.project_id, app_name=item.app_name, name=item.name
    )
    return bool(same.filter(states).update(**values))


def _inserted(item: JSONCacheItem, using: str) -> bool:
    if item.user_id is not None:
        item.user_id = LivingUser(item)
    try:
        with transaction.atomic(using=using):
            item.save(force_insert=True, using=using)
    except IntegrityError:
        return False  # somebody else's insert was first
    return True
