"""``synccache``: which plugins are called for which projects, here or by the task queue.

A plugin is called once per project, so that one project's failure is its own, and progress can be
told. One that says ``update_by_project = False`` is called once, with ``project=None``, for all of
its items. So is every plugin where there are no projects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.apps import apps

from cacheback_app import Job, signals

from .host import get_host
from .host.base import ProjectPlugin
from .updating import Failure, update

_PAGE = 500
"""Projects read at once. No cursor stays open meanwhile, so that SQLite's writers can write."""


class SyncFailed(Exception):
    """Plugins raised while the task queue had them update a project; the log tells more."""


class Queued(Enum):
    """What became of a project that was to be queued."""

    YES = "queued"
    ALREADY = "queued already"
    NO = "not queued, as the cache that would say so cannot be used"


@dataclass(frozen=True, slots=True)
class Sync:
    """What is to be updated."""

    project: Any = None
    """None: all projects."""
    app: str | None = None
    name: str | None = None

    def steps(self) -> Iterator[Step]:
        """Yield the calls to make, in order; projects are read a page at a time."""
        plugins = plugins_of(self.app)
        if self.project is not None:
            yield Step(self.project, plugins, self)
            return
        whole = [plugin for plugin in plugins if not _is_by_project(plugin)]
        parts = [plugin for plugin in plugins if _is_by_project(plugin)]
        if whole:
            yield Step(None, whole, self)
        if not parts:
            return
        if not get_host().projects().exists():
            yield Step(None, parts, self)
        for project in _pages():
            yield Step(project, parts, self)

    def count(self) -> int:
        """Return the number of steps, near enough for a progress bar."""
        return 1 if self.project is not None else max(1, get_host().projects().count())


@dataclass(frozen=True, slots=True)
class Step:
    """The update of one project, or, with None, of all in one call of each plugin."""

    project: Any
    plugins: Sequence[ProjectPlugin]
    sync: Sync

    def run(self) -> list[Failure]:
        """Update here; return what failed."""
        return update(self.plugins, self.sync.name, self.project, None)

    def queue(self) -> Queued:
        """Have a worker update it.

        :raises QueueError: when the queue cannot be reached.
        """
        names = [plugin.name for plugin in self.plugins]
        call = (self.project, names, self.sync.name)
        sent: list[Any] = []

        def note(sender: Any, **details: Any) -> None:
            sent.append(sender)

        signals.refresh_dispatched.connect(note, sender=SyncProject)
        try:
            SyncProject().async_refresh(*call)
        finally:
            signals.refresh_dispatched.disconnect(note, sender=SyncProject)
        if sent:
            return Queued.YES
        is_claimed = SyncProject().explain(*call).claimed_until is not None
        return Queued.ALREADY if is_claimed else Queued.NO


class SyncProject(Job):
    """The update of a project as a task; `synccache --async` queues it.

    It is a job's refresh, so that it is signed, queued once however often it is asked for, and run
    by any queue. It has no value.
    """

    refresh_timeout = "1 day"  # how long it may wait in the queue
    _has_no_value = True
    error_backoff = 0
    on_dispatch_error = "raise"

    def fetch(self, project: Any, plugins: list[str], name: str | None) -> None:
        known = {plugin.name: plugin for plugin in get_host().project_plugins()}
        failures = update([known[plugin] for plugin in plugins], name, project, None)
        if failures:
            raise SyncFailed(f"failed: {', '.join(failure.plugin for failure in failures)}")

    def should_cache(self, value: Any) -> bool:
        return False


def plugins_of(app: str | None) -> list[ProjectPlugin]:
    """Return the plugins, or those of one app, by the plugin's name or the app's."""
    plugins = get_host().project_plugins()
    return [plugin for plugin in plugins if app is None or app in (plugin.name, _app_of(plugin))]


def _app_of(plugin: ProjectPlugin) -> str | None:
    config = apps.get_containing_app_config(type(plugin).__module__)
    return config.label if config else None


def _is_by_project(plugin: ProjectPlugin) -> bool:
    return bool(getattr(plugin, "update_by_project", True))


def _pages() -> Iterator[Any]:
    projects = get_host().projects()
    page = list(projects[:_PAGE])
    while page:
        yield from page
        following = projects.filter(pk__gt=page[-1].pk)[:_PAGE]
        page.clear()  # before the next one is there
        page.extend(following)
