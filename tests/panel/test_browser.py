"""The panel in Chromium: without a mouse, in the dark, on a phone, under a strict policy."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from cacheback_app.panel import views
from tests import services
from tests.panel import jobs
from tests.panel.conftest import FIGURES, PANEL, prefer, resize

pytestmark = pytest.mark.django_db(transaction=True)


class Page:
    """A browser at the panel of a running site, in which somebody has logged in."""

    def __init__(self, browser: Any, root: str) -> None:
        self.browser = browser
        self.root = root

    def open(self, path: str) -> None:
        """Go to a page of the site."""
        self.browser.get(f"{self.root}{path}")

    def find(self, selector: str) -> Any:
        """Return an element by its CSS selector as soon as it is there."""
        return self.wait().until(lambda browser: browser.find_element("css selector", selector))

    def wait(self) -> Any:
        """Return a wait that bears elements which are not there yet or were replaced."""
        from selenium.common.exceptions import NoSuchElementException as Missing
        from selenium.common.exceptions import StaleElementReferenceException as Replaced
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, 20, 0.05, ignored_exceptions=[Missing, Replaced])

    def follow(self, selector: str) -> None:
        """Click on a link or a button, and wait until another page has taken this one's place."""
        from selenium.webdriver.support.expected_conditions import staleness_of

        left = self.find("html")
        # Polling may replace what was just found.
        self.wait().until(lambda _: self.find(selector).click() or True)
        self.wait().until(staleness_of(left))
        self.find("#main")

    def text(self, selector: str) -> str:
        """Return an element's text as it is now: polling may replace it at any moment."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until an element has this text in it; scripts may be off."""
        self.wait().until(lambda _: text in self.find(selector).text, f"{text!r} in {selector}")

    def press(self, *keys: str) -> None:
        """Press keys, without a mouse."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def tab_to(self, selector: str) -> None:
        """Move the focus forward until it is on an element."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(60):
            if self.has_focus(selector):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} can't be reached with the Tab key")

    def has_focus(self, selector: str) -> bool:
        """Return whether the focus is on an element."""
        script = "return document.activeElement.matches(arguments[0])"
        return bool(self.browser.execute_script(script, selector))

    def style(self, selector: str, name: str) -> str:
        """Return a computed style."""
        script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        return str(self.browser.execute_script(script, selector, name))

    def complaints(self) -> list[str]:
        """Return what the browser's console has of this page."""
        messages = [entry["message"] for entry in self.browser.get_log("browser")]
        return [text for text in messages if "/favicon.ico" not in text]  # the admin has none


@pytest.fixture
def root(transactional_db: None, site: None, settings: Any) -> Iterator[str]:
    """The address of the running site; started anew, as a server keeps its middleware."""
    settings.ALLOWED_HOSTS = ["localhost"]
    server = LiveServer("localhost")
    yield server.url
    server.stop()


@pytest.fixture
def page(root: str, manager: User, browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The panel, polling fast, with somebody logged in who may do everything."""
    monkeypatch.setattr(views, "POLL_SECONDS", 1)
    client = Client()
    client.force_login(manager)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": root}
    browser.execute_cdp_cmd("Network.setCookie", cookie)
    opened = Page(browser, root)
    yield opened
    assert opened.complaints() == []


def entry(*, args: str = "[2026]") -> str:
    """Return the address of an entry."""
    return f"{FIGURES}?args={quote(args)}"


def test_the_overview_is_shown(page: Page) -> None:
    """The jobs are in a table with headings, and each leads to its page."""
    jobs.Figures().get(2026)
    page.open(f"{PANEL}?q=tests.panel")
    assert page.text("h1") == "Cached jobs"
    assert page.text('[id="job-tests.panel.jobs.Figures"]') == "Figures"
    page.follow('[id="job-tests.panel.jobs.Figures"]')
    assert page.text("h1").startswith("Figures")


def test_a_figure_is_updated_without_loading_the_page(page: Page) -> None:
    """The page is live: what happens meanwhile is seen, and the page was not loaded anew."""
    jobs.Figures().get(2026)
    page.open(f"{PANEL}?q=panel.jobs.Figures")
    page.browser.execute_script("window.same = true")
    reads = '.jobs [data-label="Reads"]'
    assert page.text(reads).split()[-1] == "1"
    for _ in range(6):
        jobs.Figures().get(2026)
    page.wait_for(reads, "7")
    assert page.browser.execute_script("return window.same")


def test_an_entrys_facts_are_live_too(page: Page) -> None:
    """An entry that goes is seen to go, while what is typed into the form stays."""
    jobs.Figures().get(2026)
    page.open(entry())
    page.find("#call-kwargs").send_keys("typed")
    jobs.Figures().delete(2026)
    page.wait_for("#facts", "miss")
    assert page.find("#call-kwargs").get_attribute("value") == "typed"


def test_a_paused_page_does_not_poll(page: Page) -> None:
    """ "Pause" is a link to the same page without polling."""
    page.open(f"{PANEL}?q=Figures")
    page.follow("#live-switch")
    assert page.text("#live-switch") == "Live"
    assert page.find("#live").get_attribute("hx-get") is None
    assert "q=Figures" in page.browser.current_url


def test_the_filter_works_as_one_types(page: Page) -> None:
    """With a script, typing is enough; the address tells what is shown."""
    page.open(PANEL)
    page.find("#filter-q").send_keys("panel.jobs.greet")
    services.wait_until(lambda: "q=panel.jobs.greet" in page.browser.current_url, 20)
    page.wait_for("#live .count", "1 job of")
    assert page.has_focus("#filter-q")


def test_without_a_script_everything_works(page: Page) -> None:
    """Filter, look-up and buttons are plain forms."""
    jobs.greeting("Ada")
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open(PANEL)
        page.find("#filter-q").send_keys("greet")
        page.follow(".filter button")
        page.follow('[id="job-tests.panel.jobs.greeting"]')
        page.find("#call-args").send_keys('["Ada"]')
        page.follow(".call button")
        page.wait_for("#facts", "hit")
        page.follow('.deeds [value="delete"]')
        page.wait_for("#facts", "miss")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert jobs.greeting.raw_get("Ada") is None


def test_an_entry_is_invalidated_with_the_keyboard_alone(page: Page) -> None:
    """From the list to the button: every step can be done with Tab, Enter and typing."""
    from selenium.webdriver.common.keys import Keys

    jobs.Figures().set(2026, {"year": "old"})
    page.open(f"{PANEL}?q=panel.jobs.Figures&live=0")
    page.tab_to('[id="job-tests.panel.jobs.Figures"]')
    assert page.style(":focus-visible", "outlineStyle") == "solid"
    page.press(Keys.ENTER)
    page.wait_for("h1", "Figures")
    page.tab_to("#call-args")
    page.press("[2026]")
    page.tab_to(".call button")
    page.press(Keys.ENTER)
    page.wait_for("#value", "old")
    page.tab_to('.deeds [value="invalidate"]')
    page.press(Keys.ENTER)
    page.wait_for(".message", "Marked stale")
    assert jobs.Figures.fetched == [(2026, 1)]


def test_the_first_tab_skips_to_the_content(page: Page) -> None:
    """Who uses the keyboard need not pass the head of every page."""
    from selenium.webdriver.common.keys import Keys

    page.open(PANEL)
    page.press(Keys.TAB)
    assert page.has_focus(".skip")
    page.press(Keys.ENTER)
    assert page.has_focus("#main")


@pytest.mark.parametrize("path", [PANEL, entry()])
def test_polling_leaves_the_focus_where_it_is(page: Page, path: str) -> None:
    """What has the focus when the figures are replaced has it afterwards."""
    page.open(path)
    page.tab_to("#live-switch")
    page.browser.execute_script("document.querySelector('#live').dataset.old = 'yes'")
    services.wait_until(
        lambda: page.browser.execute_script("return !document.querySelector('#live').dataset.old"),
        20,
    )
    assert page.has_focus("#live-switch")


@pytest.mark.parametrize("path", [PANEL, entry(), entry(args="[wrong")])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_sticks_out_on_a_phone(page: Page, path: str, width: int) -> None:
    """Down to 320 pixels no page scrolls sideways, even with long names and values."""
    jobs.Figures().set(2026, {"long": "x" * 500})
    resize(page.browser, width, 700)
    page.open(path)
    assert page.browser.execute_script("return document.documentElement.scrollWidth") <= width


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_legible_in_light_and_dark(page: Page, scheme: str) -> None:
    """The page follows what the system prefers, and all text has a contrast of 4.5 at least."""
    jobs.Figures().get(2026)
    prefer(page.browser, scheme)
    page.open(entry())
    paper = page.style("body", "backgroundColor")
    assert (contrast(paper, "rgb(0, 0, 0)") > 7) == (scheme == "light")
    card = page.style(".card", "backgroundColor")
    for selector in (".hint", ".facts dt", "a", ".fresh dd", ".stale dd", ".missed dd", ".danger"):
        assert contrast(page.style(selector, "color"), card) >= 4.5, selector
    chip = [page.style(".chip", name) for name in ("color", "backgroundColor")]
    assert contrast(*chip) >= 4.5


def test_markup_in_values_is_not_obeyed(page: Page) -> None:
    """A value, a key and a tag that are scripts are shown; the page's title stays its own."""
    jobs.Hostile().get(jobs.SCRIPT)
    args = quote(json.dumps([jobs.SCRIPT]))
    page.open(f"{PANEL}job/tests.panel.jobs.Hostile/?args={args}")
    assert jobs.SCRIPT in page.text("#value")
    assert page.browser.title == "Hostile \N{MIDDLE DOT} Cacheback"


def test_a_login_that_ended_leads_to_the_login_page(page: Page) -> None:
    """When the session is over, a page that polls is loaded anew, and asks to log in."""
    page.open(PANEL)
    page.browser.delete_all_cookies()
    services.wait_until(lambda: "/admin/login/" in page.browser.current_url, 20)
    assert all("401" in text for text in page.complaints())
