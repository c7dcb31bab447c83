"""A site with the panel, its users, and a browser."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpRequest, HttpResponse
from django.test import Client

from cacheback_app.stats.collecting import collector
from tests import services
from tests.panel import jobs

PANEL = "/cacheback/"
FIGURES = "/cacheback/job/tests.panel.jobs.Figures/"

POLICY = "default-src 'self'"


def strict_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Send the strictest usual policy with every page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return middleware


@pytest.fixture
def site(db: None, settings: Any) -> None:
    """A site with the panel, an admin, and statistics."""
    settings.ROOT_URLCONF = "tests.panel.urls"
    settings.CACHEBACK_STATS = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.panel.conftest.strict_policy"]
    collector.take()
    jobs.Figures.fetched.clear()


def add_user(name: str, *, is_staff: bool, may_manage: bool) -> User:
    """Return a new user."""
    user = User.objects.create_user(name, password="password", is_staff=is_staff)
    if may_manage:
        user.user_permissions.add(Permission.objects.get(codename="manage_cache"))
    return user


@pytest.fixture
def manager(site: None) -> User:
    """Staff with the permission to act."""
    return add_user("manager", is_staff=True, may_manage=True)


@pytest.fixture
def staff(site: None) -> User:
    """Staff without it."""
    return add_user("staff", is_staff=True, may_manage=False)


@pytest.fixture
def panel(manager: User) -> Client:
    """A client that may do everything."""
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def visitor(staff: User) -> Client:
    """A client that may look."""
    client = Client()
    client.force_login(staff)
    return client


SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def session_browser() -> Iterator[Any]:
    """Chromium without a window; it is started once, as that takes seconds."""
    if find_spec("selenium") is None:
        services.unavailable("selenium is not installed")
    chromium = shutil.which("chromium") or services.unavailable("chromium is not installed")
    driver = shutil.which("chromedriver") or services.unavailable("chromedriver is not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(prefix="cacheback-chromium-", ignore_cleanup_errors=True) as d:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for switch in (*SWITCHES, f"--user-data-dir={d}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(executable_path=driver))
        try:
            yield browser
        finally:
            browser.quit()


@pytest.fixture
def browser(session_browser: Any) -> Iterator[Any]:
    """The browser, with nothing left of the test before."""
    session_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    session_browser.get("about:blank")
    session_browser.get_log("browser")
    resize(session_browser, 1280, 900)
    prefer(session_browser, "light")
    yield session_browser
    session_browser.get("about:blank")  # it polls no more


def resize(browser: Any, width: int, height: int) -> None:
    """Give the page another size: a window has a least width, a page has not."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def prefer(browser: Any, scheme: str) -> None:
    """Prefer light or dark pages."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
