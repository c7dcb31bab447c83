"""The buttons, and what is written down of them."""

import logging
import threading
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.test import Client

from cacheback_app import Job, QuerySetGetJob
from cacheback_app.queues import get_queue
from cacheback_app.testing import faults
from tests.panel import jobs
from tests.panel.conftest import PANEL

pytestmark = pytest.mark.usefixtures("site")


def press(client: Client, name: str, action: str, **fields: str) -> str:
    """Press a button under an entry of ``tests.panel.jobs``; return the page that follows."""
    path = name if "." in name else f"tests.panel.jobs.{name}"
    response = client.post(f"{PANEL}job/{path}/act/", {"action": action, **fields}, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def test_refresh_fetches_and_stores(panel: Client) -> None:
    """ "Refresh now" fetches although the value is fresh; the page shows it again."""
    jobs.Figures().get(2026)
    html = press(panel, "Figures", "refresh", args="[2026]", kwargs="")
    assert jobs.Figures.fetched == [(2026, 1), (2026, 1)]
    assert "Fetched and stored." in html
    assert "chip-hit" in html
    assert "[2026]</textarea>" in html


def test_refresh_in_the_background_is_left_to_the_queue(
    panel: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other button hands it to the queue, and the request fetches nothing."""
    settings.CACHEBACK_TASK_QUEUE = "threads"
    called = []
    monkeypatch.setattr(type(get_queue()), "enqueue", lambda self, call: called.append(call.key))
    jobs.Figures().set(2026, {"year": 0})
    html = press(panel, "Figures", "async_refresh", args="[2026]")
    assert "handed to the queue" in html
    assert (len(called), jobs.Figures.fetched) == (1, [])


@pytest.mark.parametrize("action", ["refresh", "async_refresh", "invalidate", "delete"])
def test_a_cache_that_is_down_is_no_success(panel: Client, action: str) -> None:
    """Readers go on without a cache (J11); who presses a button is told that nothing was done."""
    with faults.cache_down():
        html = press(panel, "Figures", action, args="[2026]")
    assert "failed: ConnectionError" in html
    assert "message-success" not in html


def test_invalidate_marks_stale_and_refreshes(panel: Client) -> None:
    """Invalidate has the value fetched anew by the queue, here in place."""
    jobs.Figures().set(2026, {"year": 0})
    press(panel, "Figures", "invalidate", args="[2026]", kwargs="{}")
    assert jobs.Figures().raw_get(2026)[1] == {"year": 2026, "month": 1}  # type: ignore[index]


def test_invalidating_nothing_says_so(panel: Client) -> None:
    """Nothing is cached: nothing is done, and nothing is logged."""
    html = press(panel, "Figures", "invalidate", args="[2026]")
    assert "nothing was marked stale" in html
    assert not LogEntry.objects.exists()


def test_delete_removes_that_entry_and_no_other(panel: Client) -> None:
    """Delete acts on the call that the form names."""
    for year in (2025, 2026):
        jobs.Figures().get(year)
    html = press(panel, "Figures", "delete", args="[2026]")
    assert "chip-miss" in html
    assert jobs.Figures().raw_get(2026) is None
    assert jobs.Figures().raw_get(2025) is not None


def test_functions_and_jobs_with_arguments_of_their_own(panel: Client) -> None:
    """Every kind of job has the buttons."""
    jobs.greeting("Ada")
    press(panel, "greeting", "delete", args='["Ada"]')
    assert jobs.greeting.raw_get("Ada") is None
    press(panel, "Shop", "refresh", init='["corner"]')
    assert jobs.Shop("corner").raw_get()[1] == "shop corner"  # type: ignore[index]


def test_a_fetch_that_fails_is_told_of(panel: Client) -> None:
    """What fetch raises is a message on the page, as text; there is no error page."""
    html = press(panel, "Fails", "refresh", args='["x"]')
    assert "ValueError" in html
    assert jobs.SCRIPT not in html
    assert "failed with ValueError" in LogEntry.objects.get().change_message


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "delete", "args": "[", "kwargs": ""},
        {"action": "delete", "args": "[1, 2, 3]"},
        {"action": "delete", "args": "", "kwargs": "[]"},
    ],
)
def test_arguments_that_do_not_fit_do_nothing(panel: Client, fields: dict[str, str]) -> None:
    """The page says so, beside the field and at its top."""
    html = press(panel, "Figures", **fields)
    assert "Nothing was done" in html
    assert 'role="alert"' in html
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("action", ["", "key", "__class__", "_slot_for", "refresh; delete"])
def test_there_are_four_actions(panel: Client, action: str) -> None:
    """J15 for forms: a button names one of four actions, and no method."""
    url = f"{PANEL}job/tests.panel.jobs.Figures/act/"
    assert panel.post(url, {"action": action, "args": "[2026]"}).status_code == 404
    url = f"{PANEL}job/os.system/act/"
    assert panel.post(url, {"action": "refresh", "args": '["true"]'}).status_code == 404


def test_no_new_queries_are_run(panel: Client, manager: User) -> None:
    """A query set job of any model is refreshed when the site itself has cached it; otherwise the
    form would read any table by any condition."""
    path = "cacheback_app.jobs.QuerySetGetJob"
    call = {"init": '["auth.User"]', "kwargs": '{"password__startswith": "p"}'}
    for action in ("refresh", "async_refresh"):
        html = press(panel, path, action, **call)
        assert "does not run new queries" in html
    QuerySetGetJob(User).get(username="manager")
    html = press(panel, path, "refresh", init='["auth.User"]', kwargs='{"username": "manager"}')
    assert "Fetched and stored." in html


def test_the_admin_log_tells_who_did_what(panel: Client, manager: User) -> None:
    """Every action is in the admin's log, with user, job and key."""
    jobs.Figures().get(2026)
    for action in ("refresh", "delete"):
        press(panel, "Figures", action, args="[2026]")
    deleted, refreshed = LogEntry.objects.order_by("-pk")
    assert (refreshed.action_flag, deleted.action_flag) == (CHANGE, DELETION)
    for entry in (deleted, refreshed):
        assert entry.user == manager
        assert entry.object_repr == "tests.panel.jobs.Figures"
        assert entry.object_id == jobs.Figures().key(2026)
    assert deleted.change_message.startswith("delete done: ")


def test_the_logger_tells_no_arguments_above_debug(
    panel: Client, manager: User, caplog: pytest.LogCaptureFixture
) -> None:
    """The logger has user and job at INFO, and the key, with the arguments, at DEBUG."""
    caplog.set_level(logging.DEBUG, "cacheback")
    press(panel, "Hostile", "refresh", args='["secret-argument"]')
    records = [record for record in caplog.records if "Panel" in record.message]
    shown = [record.message for record in records if record.levelno >= logging.INFO]
    assert shown == [f"Panel: refresh of tests.panel.jobs.Hostile by user {manager.pk}"]
    assert any("secret-argument" in r.message for r in records if r.levelno == logging.DEBUG)
    assert not any(
        "secret-argument" in r.getMessage() for r in caplog.records if r.levelno > logging.DEBUG
    )


def test_without_an_admin_the_logger_has_it(
    panel: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A site without django.contrib.admin acts and logs all the same."""
    caplog.set_level(logging.INFO, "cacheback")
    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name != "django.contrib.admin"
    ]
    settings.ROOT_URLCONF = "tests.panel.urls_without_admin"
    press(panel, "Figures", "refresh", args="[2026]")
    assert jobs.Figures.fetched == [(2026, 1)]
    assert "Panel: refresh" in caplog.text


def test_a_site_without_messages_acts_all_the_same(panel: Client, settings: Any) -> None:
    """The messages framework is not needed."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "messages" not in name]
    press(panel, "Figures", "refresh", args="[2026]")
    assert jobs.Figures.fetched == [(2026, 1)]


def test_async_jobs_can_be_refreshed(panel: Client) -> None:
    """An `async def fetch` is awaited by the button."""

    class Later(Job):
        async def fetch(self) -> str:
            return f"from {threading.current_thread().name}"

    from cacheback_app.engine import registry

    Later.__qualname__ = "Later"
    registry.register(registry.path_of(Later), Later)
    try:
        html = press(panel, "tests.panel.test_actions.Later", "refresh")
    finally:
        del registry._targets[registry.path_of(Later)]
    assert "Fetched and stored." in html
