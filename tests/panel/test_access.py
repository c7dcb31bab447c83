"""Who sees the panel, who may act, and that looking changes nothing."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.panel import jobs
from tests.panel.conftest import FIGURES, PANEL, add_user

pytestmark = pytest.mark.usefixtures("site")

ACT = f"{FIGURES}act/"
DEED = {"action": "delete", "args": "[2026]", "kwargs": ""}

PAGES = [PANEL, FIGURES, f"{FIGURES}?args=[2026]"]


@pytest.fixture(autouse=True)
def entry(site: None) -> None:
    """Something that is cached, and that only somebody who may can delete."""
    jobs.Figures().get(2026)


def is_there() -> bool:
    """Return whether it still is."""
    return jobs.Figures().raw_get(2026) is not None


def client_of(user: User | None, **options: Any) -> Client:
    """Return a client that has logged in."""
    client = Client(**options)
    if user is not None:
        client.force_login(user)
    return client


@pytest.mark.parametrize("address", PAGES)
def test_who_is_not_logged_in_is_asked_to(address: str) -> None:
    """Anonymous users are sent to the admin's login page, and come back to what they asked for."""
    response = client_of(None).get(address)
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/?next=/cacheback/")


def test_without_an_admin_the_sites_own_login_page_is_used(settings: Any) -> None:
    """Where no admin is mounted, LOGIN_URL counts."""
    settings.ROOT_URLCONF = "tests.panel.urls_without_admin"
    assert client_of(None).get(PANEL).url == "/accounts/login/?next=/cacheback/"


@pytest.mark.parametrize("may_manage", [False, True])
@pytest.mark.parametrize("address", PAGES)
def test_others_than_staff_are_refused(address: str, may_manage: bool) -> None:
    """Logged in, but not staff: 403, whatever permission that user has."""
    user = add_user("customer", is_staff=False, may_manage=may_manage)
    assert client_of(user).get(address).status_code == 403
    assert client_of(user).post(ACT, DEED).status_code == 403
    assert is_there()


@pytest.mark.parametrize("address", PAGES)
def test_staff_may_look(visitor: Client, address: str) -> None:
    """Staff see every page without the permission to act."""
    assert visitor.get(address).status_code == 200


def test_staff_without_the_permission_see_no_value_and_no_button(visitor: Client) -> None:
    """The value, and what acts on it, are only shown to who has `manage_cache`."""
    html = visitor.get(f"{FIGURES}?args=[2026]").content.decode()
    assert "chip-hit" in html
    assert "&#x27;year&#x27;: 2026" not in html
    assert '<form class="deeds"' not in html


def test_who_may_manage_sees_both(panel: Client) -> None:
    """With `manage_cache` the value is shown, and the buttons."""
    html = panel.get(f"{FIGURES}?args=[2026]").content.decode()
    assert "&#x27;year&#x27;: 2026" in html
    assert '<form class="deeds"' in html


@pytest.mark.parametrize("action", ["refresh", "async_refresh", "invalidate", "delete"])
def test_staff_without_the_permission_cannot_act(visitor: Client, action: str) -> None:
    """403, and nothing is done."""
    before = jobs.Figures().raw_get(2026)
    assert visitor.post(ACT, {**DEED, "action": action}).status_code == 403
    assert jobs.Figures().raw_get(2026) == before
    assert jobs.Figures.fetched == [(2026, 1)]


def test_anonymous_users_cannot_act() -> None:
    """They are asked to log in, and nothing is done."""
    assert client_of(None).post(ACT, DEED).status_code == 302
    assert is_there()


def test_a_form_of_another_site_cannot_act(manager: User) -> None:
    """Without the CSRF token it is 403, and nothing is done."""
    client = client_of(manager, enforce_csrf_checks=True)
    assert client.post(ACT, DEED).status_code == 403
    assert is_there()


def test_the_token_is_asked_for_without_the_middleware(settings: Any, manager: User) -> None:
    """A site that has dropped Django's CSRF middleware has a protected panel all the same."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name.lower()]
    client = client_of(manager, enforce_csrf_checks=True)
    assert client.post(ACT, DEED).status_code == 403
    assert is_there()


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_only_a_post_acts(panel: Client, method: str) -> None:
    """The address of the buttons refuses every other method."""
    assert getattr(panel, method)(f"{ACT}?action=delete&args=[2026]").status_code == 405
    assert is_there()


def test_looking_fetches_and_changes_nothing(panel: Client) -> None:
    """No page reads through a job: a value that is missing stays so, and no read is counted."""
    panel.get(f"{FIGURES}?args=[1999]")
    assert jobs.Figures.fetched == [(2026, 1)]
    assert jobs.Figures().raw_get(1999) is None
    assert panel.post(FIGURES).status_code == 405


@pytest.mark.parametrize("address", PAGES)
def test_no_page_is_kept_or_framed(panel: Client, address: str) -> None:
    """What staff see is neither cached by a proxy nor shown in another site's frame."""
    headers = panel.get(address).headers
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Frame-Options"] == "DENY"


def test_polling_after_the_session_has_ended_loads_the_login_page() -> None:
    """htmx gets no login page to put into the middle of this one, but is told to load all anew."""
    response = client_of(None).get(PANEL, headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Refresh"]) == (401, "true")
