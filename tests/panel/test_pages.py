"""What the pages show, of ordinary and of hostile jobs."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cacheback_app import Job, stats
from cacheback_app.engine.state import state_for
from tests.panel import jobs
from tests.panel.conftest import FIGURES, PANEL

pytestmark = pytest.mark.usefixtures("site")


def address(name: str, **query: str) -> str:
    """Return the address of a job of ``tests.panel.jobs``, with an entry if arguments are given."""
    path = f"{PANEL}job/tests.panel.jobs.{name}/"
    return f"{path}?{urlencode(query)}" if query else path


OURS = f"{PANEL}?q=tests.panel"
"""The list without the jobs of other tests, which may be on other pages."""


def html_of(client: Client, url: str, **headers: Any) -> str:
    """Return the page at ``url``."""
    response = client.get(url, **headers)
    assert response.status_code == 200
    return str(response.content.decode())


def names(html: str) -> list[str]:
    """Return the jobs of the tests in the order in which the overview lists them."""
    parts = html.split('id="job-tests.panel.jobs.')[1:]
    return [part.partition('"')[0] for part in parts]


def test_every_job_is_listed_with_its_figures(panel: Client) -> None:
    """All jobs that are registered are there, and what was read is counted for each."""
    for _ in range(4):
        jobs.Figures().get(2026)
    row = (
        html_of(panel, OURS).partition('id="job-tests.panel.jobs.Figures"')[2].partition("</tr>")[0]
    )
    assert 'data-label="Reads">4<' in row
    assert 'data-label="Hits">75 %<' in row
    assert 'data-label="Misses">25 %<' in row
    assert "<path" in row
    assert {"Shop", "greeting", "Odd"} <= set(names(html_of(panel, OURS)))


def test_jobs_of_other_processes_are_listed_too(panel: Client) -> None:
    """A job that statistics know of and this process has not imported has a row and a page."""
    from cacheback_app.stats.collecting import collector

    collector.count("elsewhere.jobs.Report", {"refreshes": 3})
    assert "not imported here" in html_of(panel, f"{PANEL}?q=elsewhere")
    page = html_of(panel, f"{PANEL}job/elsewhere.jobs.Report/")
    assert "its entries can" in page
    assert "Look up an entry" not in page


def test_the_list_can_be_sorted_and_narrowed_down_without_a_script(panel: Client) -> None:
    """Order and filter are in the query string."""
    for _ in range(3):
        jobs.greeting("Ada")
    jobs.Figures().get(1)
    assert names(html_of(panel, f"{PANEL}?sort=-reads&q=tests.panel"))[:2] == [
        "greeting",
        "Figures",
    ]
    assert names(html_of(panel, f"{PANEL}?show=used&sort=-reads")) == ["greeting", "Figures"]
    assert names(html_of(panel, f"{PANEL}?q=GREET")) == ["greeting"]
    assert "No job is like that" in html_of(panel, f"{PANEL}?q=<script>")


@pytest.mark.parametrize(
    "query", ["sort=-", "sort=__class__", "page=zero", "page=-4", "show=%00", "minutes=61", "q=%FF"]
)
def test_a_query_string_that_makes_no_sense_is_the_default(panel: Client, query: str) -> None:
    """Nobody gets an error page for what a link may have become."""
    assert "Cached jobs" in html_of(panel, f"{PANEL}?{query}")


@pytest.mark.parametrize(
    "path",
    ["os.system", "tests.panel.jobs", "tests.panel.jobs.Unprintable", "x" * 3000, "%00", "a%2Fb"],
)
def test_a_url_names_jobs_and_nothing_else(panel: Client, path: str) -> None:
    """J15 for URLs: what is no job is 404."""
    assert panel.get(f"{PANEL}job/{path}/").status_code == 404


def test_no_module_is_imported_because_a_url_or_form_names_it(panel: Client) -> None:
    """Neither the path of a job nor the class of an argument makes this process import a module."""
    import sys

    module = "tests.panel.urls_without_admin"
    sys.modules.pop(module, None)
    assert panel.get(f"{PANEL}job/{module}.urlpatterns/").status_code == 404
    argument = f'[{{"t": "list", "v": [{{"t": "enum", "v": ["{module}:Colour", "RED"]}}]}}]'
    for text in (argument, argument.replace("enum", "dataclass")):
        assert "be given here" in html_of(panel, address("Figures", args=text))
    assert module not in sys.modules


HOSTILE = [
    "[",
    "{}",
    "NaN",
    "null",
    "[1" + "," * 50,
    "[" * 5000,
    "9" * 6000,
    '["a", "b", "c", "d"]',
    '[{"t": "date", "v": "31/12"}]',
    '[{"t": "model", "v": ["auth.User", 77, "default"]}]',
    '[{"t": "model", "v": ["auth.User", 1, "nowhere"]}]',
    '[{"t": "nothing", "v": 1}]',
    '["\\ud800", 1, 2]',
    "x" * 30_000,
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("field", ["args", "kwargs"])
def test_arguments_that_do_not_fit_are_form_errors(panel: Client, field: str, text: str) -> None:
    """Wrong JSON and arguments that do not fit the signature are said beside the field."""
    html = html_of(panel, address("Figures", **{field: text}))
    assert 'role="alert"' in html
    assert 'id="facts"' not in html


def test_a_jobs_own_methods_may_raise_anything(panel: Client) -> None:
    """What key(), prepare_args() and tags() of a job raise is a form error, too."""
    assert "KeyError" in html_of(panel, address("Broken", args='["strange"]'))
    assert "no tags today" in html_of(panel, address("Broken", args='["known"]'))


def test_arguments_are_what_fetch_was_called_with(panel: Client) -> None:
    """However a call is written, its entry is found: keywords, defaults, dates."""
    from datetime import date

    jobs.Figures().get(2026, month=3)
    assert "chip-hit" in html_of(panel, address("Figures", args="[2026]", kwargs='{"month": 3}'))
    assert "chip-hit" in html_of(panel, address("Figures", args="[2026, 3]"))
    assert "chip-miss" in html_of(panel, address("Figures", args="[2026]"))
    jobs.greeting("Ada", date(2026, 1, 31))
    text = '["Ada", {"t": "date", "v": "2026-01-31"}]'
    assert "Hello Ada 2026-01-31" in html_of(panel, address("greeting", args=text))


def test_jobs_with_arguments_of_their_own_are_found_by_them(panel: Client) -> None:
    """The arguments of __init__ have a field where a class takes some."""
    jobs.Shop("corner").get()
    assert "shop corner" in html_of(panel, address("Shop", init='["corner"]'))
    assert "shop corner" in html_of(panel, address("Shop", init='{"name": "corner"}'))
    assert 'id="call-init-wrong"' in html_of(panel, address("Shop", init="[]", args="[]"))
    assert 'name="init"' not in html_of(panel, address("Figures"))


def test_a_decorated_function_is_found_by_its_own_arguments(panel: Client) -> None:
    """A function is a job like others."""
    jobs.greeting("Ada")
    assert "Hello Ada None" in html_of(panel, address("greeting", args='["Ada"]')).replace(
        "&#x27;", "'"
    )


def test_values_keys_and_tags_are_text(panel: Client) -> None:
    """Markup in a value, a key, a tag or an argument is shown, not obeyed; nor do they break the
    page where they can't be encoded."""
    jobs.Hostile().get(jobs.SCRIPT)
    html = html_of(panel, address("Hostile", args=f'["{jobs.SCRIPT}"]'))
    assert jobs.SCRIPT not in html
    assert html.count("&lt;script&gt;") >= 4
    assert "<code>\\ud800</code>" in html


def test_tracebacks_are_text(panel: Client) -> None:
    """The last failure is shown with its traceback, whatever its message is."""
    with pytest.raises(ValueError, match="owned"):
        jobs.Fails().get(jobs.SCRIPT)
    for url in (address("Fails"), address("Fails", args=f'["{jobs.SCRIPT}"]')):
        html = html_of(panel, url)
        assert jobs.SCRIPT not in html
        assert "in fetch" in html.partition('id="traceback"')[2]
    assert "1 failed" in html_of(panel, OURS)


def test_a_value_whose_repr_raises_is_said_to(panel: Client) -> None:
    """A value that can't be shown does not break the page."""
    jobs.Odd().get()
    assert "Unprintable" in html_of(panel, address("Odd", args="[]"))


def test_a_large_value_is_cut_short(panel: Client) -> None:
    """The page shows the beginning of a value, and stays small."""
    jobs.Hostile().set("large", ["y" * 100_000] * 1000)
    html = html_of(panel, address("Hostile", args='["large"]'))
    assert "yyy" in html
    assert len(html) < 40_000


def test_a_stale_value_is_said_to_be_stale_and_why(panel: Client) -> None:
    """The entry tells of its expiry and of a refresh that was claimed."""
    jobs.Figures().get(2026)
    job = jobs.Figures().using(lifetime=0)
    job.refresh(2026)
    html = html_of(panel, address("Figures", args="[2026]"))
    assert "chip-stale" in html
    assert "Its lifetime is over; the next read has it fetched." in html


def test_a_cache_that_is_down_is_told_of(panel: Client, settings: Any) -> None:
    """J11: the panel works without the cache, and says that it is out of reach."""
    settings.CACHEBACK_CACHE_ALIAS = "down"
    html = html_of(panel, PANEL)
    assert "is out of reach" in html
    assert "chip-miss" in html_of(panel, address("Figures", args="[2026]"))


def test_a_fragment_is_only_what_changes(panel: Client) -> None:
    """htmx gets the live part, and the facts of the entry beside it."""
    jobs.Figures().get(2026)
    headers = {"headers": {"HX-Request": "true"}}
    for url in (PANEL, FIGURES, f"{FIGURES}?args=[2026]"):
        html = html_of(panel, url, **headers)
        assert "<html" not in html
        assert html.count('id="live"') == 1
    assert html.count('id="facts"') == 1


def count_calls(client: Client, monkeypatch: pytest.MonkeyPatch, url: str) -> tuple[int, int]:
    """Return how often a page asks the cache and the database."""
    state, asked = state_for("default"), []
    real: Callable[..., Any] = type(state).get_many
    with monkeypatch.context() as patch, CaptureQueriesContext(connection) as queries:
        patch.setattr(
            type(state), "get_many", lambda self, keys: asked.append(1) or real(self, keys)
        )
        html_of(client, url)
    return len(asked), len(queries)


def test_the_overviews_calls_do_not_grow_with_jobs_and_keys(
    panel: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page asks cache and database as often with many jobs and keys as with few."""
    jobs.Figures().get(0)
    before = count_calls(panel, monkeypatch, PANEL)
    made = []
    from cacheback_app.engine import registry

    try:
        for number in range(300):
            body = {"__module__": "many.jobs", "fetch": lambda self, x: x}
            made.append(type(f"Job{number}", (Job,), body))
            made[-1]().get(number)
        cache.set_many({f"key{number}": number for number in range(300)})
        assert count_calls(panel, monkeypatch, PANEL) == before
        assert len(stats.read(15)) > 300
    finally:
        for cls in made:
            del registry._targets[registry.path_of(cls)]
    assert before[0] <= 2
    assert "Page 1 of" in html_of(panel, PANEL)


def test_times_are_those_of_the_site(panel: Client, settings: Any) -> None:
    """Times are told in the site's zone, and say which."""
    settings.TIME_ZONE = "Asia/Tokyo"
    shown = html_of(panel, PANEL).partition("as of <time")[2].partition(">")[2][:12]
    hour = time.gmtime().tm_hour + 9
    assert int(shown[:2]) in (hour % 24, (hour + 1) % 24)
    assert shown.endswith("JST")
