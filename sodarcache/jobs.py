"""Jobs whose values are also items: read at the cache's speed, and kept when the cache is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.apps import apps

from cacheback_app import Job
from cacheback_app.engine import keys
from cacheback_app.engine.backing import Backing

from .item_backing import ItemBacking


class ProjectJob(Job):
    """A job whose value also is a project's cache item.

    ::

        class FileTotals(ProjectJob):
            app_name = "files"
            name = "totals"

            def fetch(self, project): ...

    A value that the cache has lost is read from its item, as old as the item is, and only fetched
    when there is none. ``set``, ``delete``, ``invalidate`` and every fetch keep both in step, and
    a fetch that was overtaken writes neither (J5). Values are what JSON can hold; a tuple comes
    back from the item as a list. Call these methods to change the value, as the cache learns
    nothing of an item that is set through the API.

    There are no tags: their stamps are in the cache, and gone with it.
    """

    app_name: ClassVar[str] = ""
    """The app whose item it is; by default the one that the class is in."""
    name: ClassVar[str] = ""
    """The item's name; by default that of the class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.tags is not Job.tags:
            raise TypeError(f"{cls.__qualname__} is a ProjectJob, and can have no tags()")
        if not cls.app_name:
            config = apps.get_containing_app_config(cls.__module__)
            cls.app_name = config.label if config else ""
        cls.name = cls.__dict__.get("name") or cls.__name__

    def item_project(self, *args: Any, **kwargs: Any) -> Any:
        """Return the project of a call's item: by default the argument ``project``, or None."""
        return self._arguments(args, kwargs).get("project")

    def item_name(self, *args: Any, **kwargs: Any) -> str:
        """Return the name of a call's item: ``name``, followed by the other arguments if any."""
        name = keys.versioned(self.name, self.version)
        rest = self._arguments(args, kwargs)
        rest.pop("project", None)
        identity = self._identity() if self._has_identity else ()
        if not rest and not identity:
            return name
        names = [*["init argument"] * len(identity), *rest]
        return keys.make(name, (*identity, *rest.values()), names)

    def item_user(self, *args: Any, **kwargs: Any) -> Any:
        """Return on whose behalf a call's item is set: by default nobody's."""
        return None

    @property
    def _backing(self) -> Backing:  # type: ignore[override]
        return ItemBacking(self)

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return dict(zip(self._fetch_names, self._fetch_bind(*args, **kwargs), strict=True))
