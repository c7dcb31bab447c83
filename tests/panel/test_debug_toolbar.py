"""The panel of the Django Debug Toolbar."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from cacheback_app import Job, cacheback, signals
from cacheback_app.base import Job as BaseJob
from cacheback_app.decorators import CachedFunction
from cacheback_app.panel.recording import Recorder
from tests.panel.urls_with_toolbar import Raises, Slow

pytestmark = pytest.mark.django_db


class Outer(Job):
    """A job that reads another."""

    def fetch(self, name: str) -> list[str]:
        return [Slow().get(name)]


@cacheback
def shout(name: str) -> str:
    """Return a name in capitals."""
    return name.upper()


@cacheback
async def whisper(name: str) -> str:
    """Return a name in small letters."""
    return name.lower()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recorder that has been started."""
    recording = Recorder()
    recording.start()
    yield recording
    recording.stop()


def statuses(recorder: Recorder) -> list[tuple[str, int]]:
    """Return job and status of every value that was read."""
    return [(read.job.rpartition(".")[2], v.status) for read in recorder.reads for v in read.values]


def test_every_way_to_read_is_recorded_once(recorder: Recorder) -> None:
    """Methods, decorated functions, several at once, and what a fetch reads itself."""
    Slow().get("a")
    Slow().get("a")
    Slow().get_many(["a", "b"])
    shout("x")
    shout.get_many(["x"])
    Outer().get("a")
    assert statuses(recorder) == [
        ("Slow", 0), ("Slow", 1), ("Slow", 1), ("Slow", 0), ("shout", 0), ("shout", 1),
        ("Outer", 0), ("Slow", 1),
    ]  # fmt: skip
    assert [read.depth for read in recorder.reads] == [0, 0, 0, 0, 0, 0, 1]


def test_async_reads_are_recorded(recorder: Recorder) -> None:
    """The async twins are, too, also when they run at once."""

    async def read() -> None:
        await asyncio.gather(Slow().aget("a"), whisper("B"))
        await Slow().aget_many(["a"])

    asyncio.run(read())
    assert sorted(statuses(recorder)) == [("Slow", 0), ("Slow", 1), ("whisper", 0)]
    assert "test_debug_toolbar.py" in recorder.reads[-1].caller


def test_the_line_that_called_is_not_ours(recorder: Recorder) -> None:
    """The caller is the innermost line outside of this package."""
    Slow().get("a")
    shout("b")
    shout.get_many(["b"])
    for read in recorder.reads:
        assert "test_debug_toolbar.py:" in read.caller
        assert read.caller.endswith("in test_the_line_that_called_is_not_ours")


def test_age_time_and_fetch_are_recorded(recorder: Recorder, monkeypatch: Any) -> None:
    """A hit has an age; a miss tells how long its fetch took; a stale read that it dispatched."""
    Slow().get("a")
    Slow().get("a")
    stale = Slow().using(lifetime=0)
    stale.refresh("z")
    stale.get("z")
    missed, hit, late = recorder.reads
    assert missed.fetched is not None
    assert missed.seconds >= missed.fetched >= 0
    assert (hit.fetched, missed.values[0].age) == (None, None)
    assert hit.values[0].age is not None
    assert late.dispatched == {late.values[0].key}


def test_a_read_that_raises_is_recorded(recorder: Recorder) -> None:
    """The error's type is told, and reaches the caller unchanged."""
    with pytest.raises(ValueError, match="alert"):
        Raises().get()
    assert recorder.reads[0].error == "ValueError"


def test_another_requests_reads_are_not_recorded(recorder: Recorder) -> None:
    """What another thread reads at the same time is its own."""
    thread = threading.Thread(target=Slow().get, args=["elsewhere"])
    thread.start()
    thread.join()
    assert recorder.reads == []


def test_nothing_is_left_when_no_request_is_recorded() -> None:
    """While no toolbar is shown, reads go through no wrapper and no signal: they cost nothing."""
    watched = [(Job, "get"), (Job, "aget"), (Job, "get_many"), (CachedFunction, "__call__")]
    before = [vars(cls)[name] for cls, name in watched]
    first, second = Recorder(), Recorder()
    first.start()
    second.start()
    assert [vars(cls)[name] for cls, name in watched] != before
    first.stop()
    assert vars(BaseJob)["get"] is not before[0]
    second.stop()
    second.stop()
    assert [vars(cls)[name] for cls, name in watched] == before
    assert not signals.cache_read.receivers


@pytest.fixture
def shown(client: Client, settings: Any) -> Iterator[Callable[[str], str]]:
    """Gives what the panel shows after a request to a site that has the toolbar."""
    from debug_toolbar.toolbar import DebugToolbar

    settings.DEBUG = True  # else the toolbar's pages are 404
    settings.ROOT_URLCONF = "tests.panel.urls_with_toolbar"
    settings.DEBUG_TOOLBAR_PANELS = ["cacheback_app.debug_toolbar.CachebackPanel"]
    settings.DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": lambda request: True}
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *settings.MIDDLEWARE]
    DebugToolbar._panel_classes = None

    def show(address: str) -> str:
        page = client.get(address)
        assert page.status_code == 200
        number = re.search('data-request-id="([0-9a-f]+)"', page.content.decode())
        assert number is not None, page.content
        asked = {"request_id": number[1], "panel_id": "CachebackPanel"}
        panel = client.get("/__debug__/render_panel/", asked).json()["content"]
        return f"{page.headers.get('Server-Timing')}{page.content.decode()}{panel}"

    yield show
    DebugToolbar._panel_classes = None


def test_the_panel_shows_the_reads_of_a_request(shown: Callable[[str], str]) -> None:
    """Status, age, time, caller and arguments are in the panel, as text."""
    html = shown("/reads/")
    assert "1 hit, 2 miss" in html
    assert "tests.panel.urls_with_toolbar.Slow" in html
    assert "raised ValueError" in html
    assert "fetched here in" in html
    assert "in reads" in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert 'desc="3 cached reads"' in html


def test_a_request_without_reads_says_so(shown: Callable[[str], str]) -> None:
    """An empty panel is no empty table."""
    html = shown("/nothing/")
    assert "no reads" in html
    assert "This request read no job." in html
