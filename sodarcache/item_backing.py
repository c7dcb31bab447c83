"""The items as the second, durable place of a job's values."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import Error, connections, router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from cacheback_app.engine.backing import Backing
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.outages import log
from cacheback_app.exceptions import UnstorableValue

from .data import check_data
from .host import get_host
from .models import JSONCacheItem
from .new_item import NewItem
from .packets import check_size
from .writing import atomically, insert, upsert

if TYPE_CHECKING:
    from cacheback_app.base import Call

    from .jobs import ProjectJob

T = TypeVar("T")


class UnstorableItem(UnstorableValue, ValueError):
    """A value that is no JSON."""


class ItemBacking(Backing):
    """Where a :class:`~sodarcache.jobs.ProjectJob` keeps its values."""

    def __init__(self, job: ProjectJob) -> None:
        self._job = job
        self._using = router.db_for_write(JSONCacheItem)

    def load(self, call: Call) -> Entry | None:
        found = self._item(call).values_list("data", "date_modified", "is_invalidated")
        try:
            row = found.first()
        except Error as exc:
            self._warn("read", exc)
            return None
        return None if row is None else self._entry(call, *row)

    def save(
        self,
        call: Call,
        value: Any,
        fetched_at: float,
        commit: Callable[[], T],
        is_kept: Callable[[T], bool],
    ) -> T:
        item = self._new(call, value)
        # Naive where the site's times are.
        zone = timezone.now().tzinfo
        item.date_modified = datetime.datetime.fromtimestamp(fetched_at, zone)
        done: list[T] = []

        def write() -> T:
            # The row is locked from here to the commit: others change the item after or before.
            upsert([item], self._using, keeps_user=item.user_id is None)
            if not done:
                done.append(commit())
            if not is_kept(done[0]):
                transaction.set_rollback(True, using=self._using)
            return done[0]

        try:
            return atomically(write, self._using)
        except Error as exc:
            self._warn("written", exc)
            return done[0] if done else commit()

    def invalidate(self, call: Call) -> None:
        def mark() -> None:
            if self._lock(call):
                self._item(call).update(is_invalidated=True)
            else:
                self._item(call).delete()

        atomically(mark, self._using)

    def delete(self, call: Call) -> None:
        def remove() -> None:
            self._lock(call)
            self._item(call).delete()

        atomically(remove, self._using)

    def _lock(self, call: Call) -> bool:
        """Lock the item until the transaction ends; return whether there is one.

        What is not there can't be locked, and an insert of another transaction can't be seen. So
        an item is inserted, which waits for that, and is to be deleted again.
        """
        mine = self._new(call, None)
        uuid = mine.sodar_uuid
        insert([mine], self._using, ["app_name"])
        return bool(mine.sodar_uuid != uuid)

    def _item(self, call: Call) -> QuerySet[JSONCacheItem]:
        return JSONCacheItem.objects.using(self._using).filter(
            app_name=self._job.app_name,
            name=self._job.item_name(*call.args, **call.kwargs),
            project=self._project(call),
        )

    def _project(self, call: Call) -> Any:
        return get_host().checked_project(self._job.item_project(*call.args, **call.kwargs))

    def _new(self, call: Call, value: Any) -> JSONCacheItem:
        job = self._job
        connection = connections[self._using]
        name = job.item_name(*call.args, **call.kwargs)
        user = job.item_user(*call.args, **call.kwargs)
        item = NewItem(job.app_name, name, value, user=user).unsaved(self._project(call))
        try:
            check_data(value, connection.vendor)
            check_size(item, connection)
        except ValueError as exc:
            raise UnstorableItem(str(exc)) from None
        return item

    def _entry(self, call: Call, data: Any, date: datetime.datetime, is_invalidated: bool) -> Entry:
        now, fetched_at = time.time(), date.timestamp()
        lifetime = self._job.expiry(*call.args, **call.kwargs) - now
        entry = Entry(data, fetched_at, fetched_at + lifetime)
        return entry.invalidated(now) if is_invalidated else entry

    def _warn(self, what: str, exc: Exception) -> None:
        subject = f"{type(self._job).__module__}.{type(self._job).__qualname__}"
        log.warning(
            f"item {subject}", "An item of %s was not %s: %s", subject, what, type(exc).__name__
        )
