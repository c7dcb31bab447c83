"""``synccache`` and ``deletecache``."""

import io
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command

from sodarcache.models import Project
from sodarcache.plugins import ProjectAppPlugin
from tests.jobs.support import BrokenQueue, CaptureQueue, captured, path_of
from tests.sodarcache.support import APP
from tests.testapp.plugins import Towers, count_towers


class Shown(io.StringIO):
    """What a command writes, to a terminal if need be."""

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Bridge(ProjectAppPlugin):
    """A plugin that tests install and remove, from before plugins were told of users."""

    __module__ = "django.contrib.auth.plugins"  # of another installed app
    calls: list[Any] = []

    def update_cache(self, name: Any = None, project: Any = None) -> None:  # type: ignore[override]
        self.calls.append(project)
        raise RuntimeError("the bridge is down")


@pytest.fixture(autouse=True)
def towers() -> Iterator[type[Towers]]:
    Towers.calls = []
    yield Towers
    Towers.count = staticmethod(count_towers)


@pytest.fixture
def bridge() -> Iterator[type[Bridge]]:
    """A second plugin, which fails."""
    Bridge.calls = []
    Bridge.name = "bridge"
    ProjectAppPlugin._plugins["bridge"] = Bridge()
    yield Bridge
    del ProjectAppPlugin._plugins["bridge"]


@pytest.fixture
def projects(database: str) -> list[Any]:
    return [Project.objects.create(title=f"P{n}") for n in range(12)]


def sync(*args: str, is_terminal: bool = False) -> str:
    """Return what ``synccache`` shows."""
    shown = Shown(is_terminal)
    call_command("synccache", *args, stdout=shown, stderr=shown)
    return shown.getvalue()


def fail_for(project: Any) -> Callable[[Any], Any]:
    def count(of: Any) -> Any:
        if of == project:
            raise OSError("no answer")
        return {"title": of.title}

    return count


def test_every_project_is_updated(api: Any, projects: list[Any]) -> None:
    """P4: each plugin is called for each project, and a script is shown plain lines."""
    shown = sync()
    for project in projects:
        assert api.get_cache_item(APP, "towers", project).data == {"title": project.title}
    assert "Updating projects: 12 of 12" in shown and "\x1b" not in shown


def test_a_terminal_is_shown_a_bar(projects: list[Any], bridge: Any) -> None:
    """P4: on a terminal there is a progress bar, and failures stay above it."""
    shown = Shown(is_terminal=True)
    with pytest.raises(CommandError):
        call_command("synccache", stdout=Shown(), stderr=shown)
    assert "12/12" in shown.getvalue() and "\x1b" in shown.getvalue()
    assert "RuntimeError: the bridge is down" in shown.getvalue()


@pytest.mark.parametrize("workers", ["1", "3"])
def test_one_failure_stops_nothing_else(
    api: Any, projects: list[Any], towers: Any, bridge: Any, workers: str
) -> None:
    """P4: a failing project and a failing plugin are reported, the rest go on, and the exit code
    is 1. A plugin that takes no user is called without one."""
    towers.count = staticmethod(fail_for(projects[2]))
    shown = Shown()
    with pytest.raises(CommandError, match="13 updates failed") as raised:
        call_command("synccache", "--workers", workers, stdout=shown, stderr=shown)
    assert raised.value.returncode == 1
    assert f"testapp, project {projects[2].sodar_uuid}: OSError: no answer" in shown.getvalue()
    assert shown.getvalue().count("the bridge is down") == 12 == len(bridge.calls)
    assert api.get_model().objects.count() == 11


def test_limits(api: Any, projects: list[Any], towers: Any, bridge: Any) -> None:
    """``-p``, ``-a`` and ``-n`` limit what is updated."""
    sync("-p", str(projects[1].sodar_uuid), "-a", APP, "-n", "towers")
    assert towers.calls == [("towers", projects[1], None)] and bridge.calls == []
    with pytest.raises(CommandError):
        sync("-a", "bridge", "-p", str(projects[1].sodar_uuid))
    assert bridge.calls == [projects[1]]


def test_a_plugin_may_be_called_once(projects: list[Any], towers: Any, monkeypatch: Any) -> None:
    """A plugin that says so is called once, for all projects, as SODAR Core does."""
    monkeypatch.setattr(towers, "update_by_project", False)
    sync()
    assert towers.calls == [(None, None, None)]


def test_without_projects_plugins_are_called_once(database: str, towers: Any) -> None:
    """Where there are no projects there may be items of none."""
    sync()
    assert towers.calls == [(None, None, None)]


@pytest.mark.parametrize("command", ["synccache", "deletecache"])
def test_what_is_unknown_is_an_error(command: str, database: str, settings: Any) -> None:
    """P5: a bad UUID, an unknown project or app, a backend that is off: one line, exit code 1."""
    for args, message in (
        (["-p", "nonsense"], "Not a UUID: nonsense"),
        (["-p", str(uuid.uuid4())], "No project has the UUID"),
        (["-a", "nonsense"], 'Unknown app name "nonsense"'),
    ):
        with pytest.raises(CommandError, match=message):
            call_command(command, *args)
    with pytest.raises(CommandError, match="has no plugin"):
        call_command("synccache", "-a", "cacheback_app")
    with pytest.raises(CommandError, match="not a number of threads"):
        call_command("synccache", "--workers", "0")
    settings.SODARCACHE_ENABLED_BACKEND_PLUGINS = []
    with pytest.raises(CommandError, match="not enabled"):
        call_command(command)


def test_workers_work_side_by_side(api: Any, projects: list[Any], towers: Any) -> None:
    """P4: ``--workers 4`` has four projects wait for their upstreams at once, and no more."""
    together = threading.Barrier(4)
    towers.count = staticmethod(lambda project: together.wait(30))
    sync("--workers", "4")
    assert api.get_model().objects.count() == 12


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_leaves_what_is_done(
    api: Any, projects: list[Any], towers: Any, workers: str
) -> None:
    """P4: Ctrl-C ends the command with its own exit code; what was set stays set."""

    def count(project: Any) -> Any:
        if project == projects[5]:
            raise KeyboardInterrupt
        return 1

    towers.count = staticmethod(count)
    with pytest.raises(CommandError, match="Interrupted") as raised:
        sync("--workers", workers)
    assert raised.value.returncode == 130
    assert 5 <= api.get_model().objects.count() <= 7


def test_the_task_queue_does_it(api: Any, projects: list[Any], towers: Any, settings: Any) -> None:
    """P4: ``--async`` queues a task per project, once while it waits, and workers update them."""
    settings.CACHEBACK_TASK_QUEUE = path_of(CaptureQueue)
    captured().sent.clear()
    assert "Queued: 12" in sync("--async")
    shown = sync("--async")
    assert "queued already" in shown and len(captured().sent) == 12
    assert towers.calls == []
    towers.count = staticmethod(fail_for(projects[0]))
    calls, captured().sent[:] = list(captured().sent), []
    with pytest.raises(Exception, match="testapp"):
        calls[0].run()  # which is how a worker learns that it failed
    for call in calls[1:]:
        call.run()
    assert api.get_model().objects.count() == 11
    sync("--async")
    assert len(captured().sent) == 12  # nothing is left behind


@pytest.mark.parametrize("cache", ["dummy", "default"])
def test_what_is_queued_is_done(
    api: Any, projects: list[Any], towers: Any, settings: Any, cache: str
) -> None:
    """P4: what ``--async`` has queued is updated, even by workers that do not find its claim in
    their cache: it keeps nothing, was emptied, or is another one."""
    settings.CACHES = {**settings.CACHES, "default": settings.CACHES[cache]}
    settings.CACHEBACK_TASK_QUEUE = path_of(CaptureQueue)
    captured().sent.clear()
    assert "Queued: 12" in sync("--async")
    caches["default"].clear()
    assert captured().run_all() == [True] * 12
    assert api.get_model().objects.count() == 12


def test_a_dead_queue_is_an_error(projects: list[Any], settings: Any) -> None:
    """P4: what cannot be queued is not passed over in silence."""
    settings.CACHEBACK_TASK_QUEUE = path_of(BrokenQueue)
    with pytest.raises(CommandError, match="task queue"):
        sync("--async")


def test_a_dead_cache_is_an_error(projects: list[Any], settings: Any) -> None:
    """P4: without a cache nothing is queued, as nobody could tell what is."""
    settings.CACHES = {**settings.CACHES, "default": settings.CACHES["down"]}
    with pytest.raises(CommandError, match="12 updates failed"):
        sync("--async")


def test_update_cache_of_the_api(projects: list[Any], towers: Any, bridge: Any, user: Any) -> None:
    """The API's ``update_cache`` calls every plugin, and returns what failed."""
    from sodarcache.api import SODARCacheAPI

    failures = SODARCacheAPI.update_cache(project=projects[0], user=user)
    assert [failure.plugin for failure in failures] == ["bridge"]
    assert towers.calls == [(None, projects[0], user)]


def test_deletecache(api: Any, projects: list[Any], monkeypatch: Any) -> None:
    """``deletecache`` deletes what it is told, and asks on a terminal."""
    for project in projects[:3]:
        api.set_cache_item(APP, "a", 1, project=project)
        api.set_cache_item("shelf", "a", 1, project=project)
    shown = Shown()
    call_command("deletecache", "-p", str(projects[0].sodar_uuid), "-a", APP, stdout=shown)
    assert "Deleted 1 cached item\n" in shown.getvalue()
    monkeypatch.setattr("sys.stdin", Shown(is_terminal=True))
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("deletecache")
    assert api.get_model().objects.count() == 5
    call_command("deletecache", "--yes", stdout=shown)
    assert api.get_model().objects.count() == 0


@pytest.mark.parametrize("key", [EOFError, KeyboardInterrupt], ids=["Ctrl-D", "Ctrl-C"])
def test_no_answer_is_no(api: Any, project: Any, monkeypatch: Any, key: type) -> None:
    """Who leaves the question of ``deletecache`` has deleted nothing, and is told so in a line."""

    def leave(prompt: str) -> str:
        raise key

    api.set_cache_item(APP, "a", 1, project=project)
    monkeypatch.setattr("sys.stdin", Shown(is_terminal=True))
    monkeypatch.setattr("builtins.input", leave)
    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("deletecache", stdout=Shown())
    assert api.get_model().objects.count() == 1


def test_a_plugin_whose_app_is_not_installed() -> None:
    """A plugin counts only where its app is installed, whoever imported its module."""

    class Stray(ProjectAppPlugin):
        name = "stray"

    try:
        assert "stray" in ProjectAppPlugin._plugins
        assert "stray" not in {plugin.name for plugin in ProjectAppPlugin.all()}
    finally:
        del ProjectAppPlugin._plugins["stray"]
