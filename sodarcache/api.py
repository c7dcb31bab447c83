"""The API that other apps get from ``get_backend_api("sodar_cache")``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from .data import check_data, check_text
from .host import get_host
from .models import JSONCacheItem
from .new_item import NewItem, is_unnoticed
from .packets import check_size
from .reading import date_of
from .updating import Failure, update
from .writing import BATCH, atomically, batches, settled, upsert

logger = logging.getLogger("sodarcache")


class Omitted(Enum):
    """Stands for an argument that was not given, as None is a value of its own."""

    PROJECT = "omitted"


class SODARCacheAPI:
    """Values of apps, by project, app and name. ``project=None`` is an item of no project.

    Inside of SODAR Core a *read* that omits the project means an item of any project.
    """

    DATA_TYPES: ClassVar[tuple[str, ...]] = ("json",)

    @classmethod
    def get_model(cls) -> type[JSONCacheItem]:
        """Return the model of the items."""
        return JSONCacheItem

    @classmethod
    def get_project_cache(cls, project: Any, data_type: str = "json") -> QuerySet[JSONCacheItem]:
        """Return the items of a project.

        :raises ValueError: for an unknown data type.
        """
        cls.check_data_type(data_type)
        return JSONCacheItem.objects.filter(project=get_host().checked_project(project))

    @classmethod
    def get_cache_item(
        cls,
        app_name: str,
        name: str,
        project: Any = Omitted.PROJECT,
        data_type: str = "json",
    ) -> JSONCacheItem | None:
        """Return an item, None when it is not set.

        :raises ValueError: for an unknown app name or data type.
        """
        cls.check_app_name(app_name)
        cls.check_data_type(data_type)
        item = next(iter(_items(_place(app_name, name, project))), None)
        if item is not None and project is not Omitted.PROJECT:
            item.project = project
        return item

    @classmethod
    def get_cache_items(
        cls, app_name: str, names: Iterable[str], project: Any = None
    ) -> dict[str, JSONCacheItem]:
        """Return the items of a project that are set, by name: one query per 1,000 names.

        :raises ValueError: for an unknown app name.
        """
        cls.check_app_name(app_name)
        items = JSONCacheItem.objects.filter(
            app_name=app_name, project=get_host().checked_project(project)
        )
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            check_text(name, "name")
        found = [
            item
            for batch in batches(wanted, BATCH, connections[items.db])
            for item in items.filter(name__in=batch)
        ]
        for item in found:
            item.project = project
        return {item.name: item for item in found}

    @classmethod
    def get_update_time(
        cls, app_name: str, name: str, project: Any = Omitted.PROJECT
    ) -> float | None:
        """Return when an item was last set, in seconds since the epoch; None when it is not set.

        :raises ValueError: for an unknown app name.
        """
        cls.check_app_name(app_name)
        date = date_of(_place(app_name, name, project))
        return None if date is None else date.timestamp()

    @classmethod
    def set_cache_item(
        cls,
        app_name: str,
        name: str,
        data: Any,
        data_type: str = "json",
        project: Any = None,
        user: Any = None,
    ) -> JSONCacheItem:
        """Set an item, new or not, in one statement, and return it.

        :param data: what JSON can hold.
        :param user: who sets it; when it is not given, an item that is there keeps its user.
        :raises ValueError: for an unknown app name or data type, or for data that JSON or the
            database cannot hold, naming the place. Nothing is stored then.
        """
        new = NewItem(app_name, name, data, data_type, project, user)
        using = router.db_for_write(JSONCacheItem)
        cls.check_app_name(app_name)
        item = cls._made(new, connections[using])
        settled(lambda: upsert([item], using, keeps_user=item.user_id is None), using)
        logger.debug("Set %s", new.title)
        return item

    @classmethod
    def set_cache_items(cls, items: Iterable[NewItem | Mapping[str, Any]]) -> list[JSONCacheItem]:
        """Set several items, all or none, and return them, in order: two statements per 1,000.

        :param items: each a :class:`NewItem`, or the keywords of :meth:`set_cache_item`. Of
            several for one place the last wins.
        :raises ValueError: as in :meth:`set_cache_item`.
        """
        # In one order everywhere, so that two callers never wait for each other in a circle.
        using = router.db_for_write(JSONCacheItem)
        made = cls._made_by_place(items, connections[using])
        in_order = [made[place] for place in sorted(made)]
        named = [item for item in in_order if item.user_id is not None]
        unnamed = [item for item in in_order if item.user_id is None]

        def write() -> None:
            upsert(named, using, keeps_user=False)
            upsert(unnamed, using, keeps_user=True)

        if made:
            atomically(write, using)
        logger.debug("Set %d items", len(made))
        return list(made.values())

    @classmethod
    def delete_cache_item(cls, app_name: str, name: str, project: Any = None) -> None:
        """Delete an item; one that is not set is deleted already.

        :raises ValueError: for an unknown app name.
        """
        cls.check_app_name(app_name)
        if _delete(_items(_place(app_name, name, project))):
            logger.debug("Deleted %s:%s", app_name, name)

    @classmethod
    def delete_cache(cls, app_name: str | None = None, project: Any = None) -> int:
        """Delete all items, or those of an app, of a project, or of both; return how many.

        :raises ValueError: for an unknown app name.
        """
        items = JSONCacheItem.objects.all()
        if app_name is not None:
            cls.check_app_name(app_name)
            items = items.filter(app_name=app_name)
        if project is not None:
            items = items.filter(project=get_host().checked_project(project))
        count = _delete(items)
        logger.info("Deleted %d items (app: %s)", count, app_name or "all")
        return count

    @classmethod
    def update_cache(
        cls, name: str | None = None, project: Any = None, user: Any = None
    ) -> list[Failure]:
        """Have the plugins of all apps set their items anew, and return what failed.

        A plugin that fails is logged, and the others go on.

        :param name: the item to update; None for all that the apps know.
        :param project: the project to update; None for all.
        """
        return update(get_host().project_plugins(), name, get_host().checked_project(project), user)

    # Checks

    @classmethod
    def check_app_name(cls, app_name: str) -> None:
        """
        :raises ValueError: when there is no such app.
        """
        known = get_host().app_names()
        if app_name not in known:
            raise ValueError(f'Unknown app name "{app_name}" (installed apps: {", ".join(known)})')

    @classmethod
    def check_data_type(cls, data_type: str) -> None:
        """
        :raises ValueError: when there are no items of that type.
        """
        if data_type not in cls.DATA_TYPES:
            allowed = ", ".join(cls.DATA_TYPES)
            raise ValueError(
                f'Unknown data type "{data_type}" for a cache item (allowed types: {allowed})'
            )

    @classmethod
    def unsaved_item(cls, new: NewItem) -> JSONCacheItem:
        """Return a checked instance of the model, for writers with statements of their own.

        :raises ValueError: as in :meth:`set_cache_item`.
        """
        cls.check_app_name(new.app_name)
        return cls._made(new, connections[router.db_for_write(JSONCacheItem)])

    @classmethod
    def _made(
        cls, new: NewItem, connection: BaseDatabaseWrapper, first: JSONCacheItem | None = None
    ) -> JSONCacheItem:
        cls.check_data_type(new.data_type)
        check_text(new.name, "name", at_most=255)
        check_data(new.data, connection.vendor)
        if first is None:
            item = new.unsaved(get_host().checked_project(new.project))
        else:
            item = new.like(first)
        check_size(item, connection)
        return item

    @classmethod
    def _made_by_place(
        cls, items: Iterable[NewItem | Mapping[str, Any]], connection: BaseDatabaseWrapper
    ) -> dict[tuple[str, str, str], JSONCacheItem]:
        made: dict[tuple[str, str, str], JSONCacheItem] = {}
        known: set[str] = set()
        firsts: dict[tuple[int, int], tuple[NewItem, JSONCacheItem]] = {}
        for given in items:
            new = given if isinstance(given, NewItem) else NewItem(**given)
            if new.app_name not in known:
                cls.check_app_name(new.app_name)
                known.add(new.app_name)
            owners = id(new.project), id(new.user)
            _, first = firsts.get(owners, (None, None))
            item = cls._made(new, connection, first)
            if first is None and is_unnoticed():
                firsts[owners] = new, item  # with ``new``, as the ids are of what it holds
            made[str(item.project_id), item.app_name, item.name] = item
        return made


def _place(app_name: str, name: str, project: Any) -> dict[str, Any]:
    """Return what tells an item from the others: values by the names of fields."""
    check_text(name, "name")
    place = {"app_name": app_name, "name": name}
    if project is not Omitted.PROJECT:
        return {**place, "project": get_host().checked_project(project)}
    return place if get_host().reads_any_project else {**place, "project": None}


def _items(place: Mapping[str, Any]) -> QuerySet[JSONCacheItem]:
    items = JSONCacheItem.objects.filter(**place)
    # There is one at most: to add an order would take as long as the database for the rest.
    return items if "project" in place else items.order_by("pk")[:1]


def _delete(items: QuerySet[JSONCacheItem]) -> int:
    # One DELETE. delete() would load every row for whoever listens to signals of all models.
    using = router.db_for_write(JSONCacheItem)
    return settled(lambda: items._raw_delete(using), using)
