"""The pages of the example site, asked as a browser without JavaScript would."""

import re
import shutil
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from example_project.shelf import jobs, report
from example_project.shelf.templatetags.shelf import duration
from tests.example.made_up import MadeUp

pytestmark = pytest.mark.django_db

BUTTONS = [
    "/shelf/invalidate/rows/",
    "/shelf/forget/totals/",
    "/shelf/refill/",
    "/d/tiny-thing/invalidate/",
    "/d/tiny-thing/invalidate/report/",
    "/d/tiny-thing/forget/row/",
]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the distributions whose files were read."""
    names: list[str] = []
    real = report.read

    def read(distribution: Any, *args: Any) -> report.Report:
        names.append(distribution.metadata["Name"])
        return real(distribution, *args)

    monkeypatch.setattr(report, "read", read)
    return names


def page(client: Client, address: str) -> str:
    """Return the page, with white space folded."""
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def chips(html: str) -> list[str]:
    """Return how each value of the page came."""
    return re.findall(r'class="chip">([^<]+)', html)


@pytest.mark.parametrize("address", ["/", "/catalogue/", "/d/other/"])
def test_every_page_leads_to_the_others(client: Client, site: MadeUp, address: str) -> None:
    """All pages have one navigation, and it tells which of its pages this is."""
    text = page(client, address)
    for other in ("/", "/catalogue/", "/inventory/", "/cacheback/", "/admin/"):
        assert f'<a href="{other}"' in text
    assert (f'<a href="{address}" aria-current="page">' in text) == (address != "/d/other/")


def test_the_list_shows_every_distribution(site: MadeUp, client: Client) -> None:
    """The list has each distribution with its version, and the totals over them."""
    html = page(client, "/")
    assert "Tiny.Thing" in html
    assert "/d/other/" in html
    assert "<dt>distributions</dt><dd>2</dd>" in html


def test_the_list_can_be_searched(site: MadeUp, client: Client) -> None:
    """Names and summaries are searched in any case, and nothing found is said so."""
    assert "/d/other/" not in page(client, "/?q=TINY")
    assert "Nothing on the shelf" in page(client, "/?q=%00<script>&page=x")


def test_the_list_makes_no_reports(site: MadeUp, client: Client, reads: list[str]) -> None:
    """Reports that were made are told on the list; none is made for it."""
    assert page(client, "/").count("not read yet") == 2
    page(client, "/d/other/")
    assert "fresh report" in page(client, "/")
    assert reads == ["other"]


def test_the_page_of_a_distribution_shows_its_report(site: MadeUp, client: Client) -> None:
    """The figures, the dependants and the requirements are on it."""
    html = page(client, "/d/tiny-thing/")
    assert "<dt>lines of Python</dt><dd>2</dd>" in html
    assert '<a href="/d/other/">other</a>' in html
    assert '<a href="/d/tiny-thing/">tiny-thing</a> <code>&gt;=1</code>' in page(
        client, "/d/other/"
    )


def test_the_second_load_fetches_nothing(
    site: MadeUp, client: Client, reads: list[str], django_assert_num_queries: Any
) -> None:
    """The first load says that it waited; the second reads no file and runs no SQL."""
    assert set(chips(page(client, "/d/tiny-thing/"))) == {"Just fetched"}
    with django_assert_num_queries(0):
        assert set(chips(page(client, "/d/tiny-thing/"))) == {"Fresh"}
    assert reads == ["Tiny.Thing"]


def test_a_stale_value_is_served_and_said_to_be_stale(site: MadeUp, client: Client) -> None:
    """After its tag is invalidated the old report is on the page, marked as stale."""
    page(client, "/d/tiny-thing/")
    client.post("/d/tiny-thing/invalidate/")
    assert set(chips(page(client, "/d/tiny-thing/"))) == {"Stale"}


def test_the_button_invalidates_one_value(site: MadeUp, client: Client) -> None:
    """Invalidating the report renews it, and leaves the other values of the page as they were."""
    page(client, "/d/tiny-thing/")
    report_before = jobs.reports.raw_get("tiny-thing")
    row_before = jobs.rows.raw_get(key="tiny-thing")
    response = client.post("/d/tiny-thing/invalidate/report/")
    assert (response.status_code, response.headers["Location"]) == (302, "/d/tiny-thing/")
    assert jobs.reports.raw_get("tiny-thing") != report_before
    assert jobs.rows.raw_get(key="tiny-thing") == row_before
    assert "The report is invalidated" in page(client, "/d/tiny-thing/")


def test_a_forgotten_value_is_fetched_anew(site: MadeUp, client: Client, reads: list[str]) -> None:
    """Forgetting a report makes the next visitor wait for another."""
    page(client, "/d/tiny-thing/")
    client.post("/d/tiny-thing/forget/report/")
    assert "Just fetched" in chips(page(client, "/d/tiny-thing/"))
    assert reads == ["Tiny.Thing"] * 2


@pytest.mark.parametrize("address", BUTTONS)
def test_a_button_is_a_post(site: MadeUp, client: Client, address: str) -> None:
    """GET is 405 and changes nothing; a POST leads back to a page."""
    assert client.get(address).status_code == 405
    assert client.get(client.post(address).headers["Location"]).status_code == 200


@pytest.mark.parametrize("address", BUTTONS)
def test_a_button_needs_the_token(site: MadeUp, address: str) -> None:
    """A POST from another site is refused."""
    assert Client(enforce_csrf_checks=True).post(address).status_code == 403


def test_every_form_of_a_page_works_as_it_is(site: MadeUp) -> None:
    """Each button of both pages is accepted with just the fields that are in the HTML."""
    client = Client(enforce_csrf_checks=True)
    for address in ["/", "/d/tiny-thing/"]:
        html = page(client, address)
        forms = re.findall(r'<form[^>]*method="post" action="([^"]+)">(.*?)</form>', html)
        assert len(forms) >= 5
        for action, fields in forms:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', fields)
            assert token
            response = client.post(action, {"csrfmiddlewaretoken": token[1]})
            assert (response.status_code, response.headers["Location"]) == (302, address)


@pytest.mark.parametrize(
    "address", ["/d/nothing/", "/d/../", "/d/%00/", "/d/a b/", "/d/" + "x" * 300 + "/"]
)
def test_an_unknown_distribution_is_404(site: MadeUp, client: Client, address: str) -> None:
    """Whatever is not on the shelf is not found, and nothing breaks."""
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("address", ["/shelf/invalidate/nothing/", "/d/other/invalidate/nothing/"])
def test_an_unknown_value_is_404(site: MadeUp, client: Client, address: str) -> None:
    """A button for a value that no page has is not found."""
    assert client.post(address).status_code == 404


def test_another_spelling_leads_to_the_page(site: MadeUp, client: Client) -> None:
    """A name in another case or with other separators redirects to the one address."""
    assert client.get("/d/TINY_thing/").headers["Location"] == "/d/tiny-thing/"


def test_what_was_uninstalled_is_told(site: MadeUp, client: Client) -> None:
    """A row that the machine no longer has anything for gives a page that says so."""
    shutil.rmtree(site.folder / "other-1.0.dist-info")
    assert "no longer installed" in page(client, "/d/other/")


def test_metadata_are_escaped(site: MadeUp, client: Client) -> None:
    """Markup in a summary is text on the pages."""
    for address in ["/", "/d/tiny-thing/"]:
        assert "A &lt;b&gt;tiny&lt;/b&gt; thing" in page(client, address)


@pytest.mark.parametrize("address", ["/", "/d/tiny-thing/", "/d/nothing/"])
def test_the_pages_need_no_script_and_load_nothing_from_elsewhere(
    site: MadeUp, client: Client, address: str
) -> None:
    """No script, inline style or foreign address; the policy forbids them all."""
    response = client.get(address)
    html = response.content.decode()
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", html)
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', html)
    assert loaded
    assert all(each.startswith("/static/shelf/") for each in loaded)
    assert response.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'self'"
    )


def test_every_page_has_an_icon(site: MadeUp, client: Client) -> None:
    """The pages name theirs, which the policy allows; what has no pages of its own to name one is
    given it as well, where browsers look for it."""
    response = client.get("/")
    assert '<link rel="icon" type="image/svg+xml" href="/static/shelf/icon.svg">' in str(
        response.content
    )
    assert "img-src 'self'" in response.headers["Content-Security-Policy"]
    assert client.get("/favicon.ico").headers["Location"] == "/static/shelf/icon.svg"
    assert finders.find("shelf/icon.svg")


def test_the_page_tells_its_own_time(site: MadeUp, client: Client) -> None:
    """The time to make the page is on it and in a header."""
    response = client.get("/")
    assert re.search(r"<strong>[\d.]+\xa0m?s</strong> to make this page", response.content.decode())
    assert response.headers["Server-Timing"].startswith("total;dur=")


def test_a_page_is_made_though_the_cache_keeps_nothing(
    site: MadeUp, client: Client, settings: Any
) -> None:
    """Every value is fetched for the visitor, and the page says that none was kept."""
    settings.CACHEBACK_CACHE_ALIAS = "dummy"
    assert page(client, "/d/tiny-thing/").count("the cache did not keep it") == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (-1, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.34, "340 ms"),
        (0.9999, "1.0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_are_written_as_one_says_them(seconds: float | None, words: str) -> None:
    """The unit fits the size, and a line never breaks between number and unit."""
    assert duration(seconds) == words.replace(" ", "\xa0")
