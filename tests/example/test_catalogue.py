"""The example site's own API, and the page that keeps and queries what it answers."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client

from example_project.shelf import api, catalogue
from example_project.shelf.forms import QueryForm
from example_project.shelf.models import Distribution
from tests.example.made_up import MadeUp
from tests.example.test_pages import chips, page
from tests.example.test_settings import environment_of, manage
from tests.services import Process, free_port

API = "/api/distributions/"


@pytest.fixture
def shelf_of_many(site: MadeUp) -> None:
    """A shelf with more distributions than fit on a page of the API."""
    Distribution.objects.bulk_create(
        Distribution(key=f"made-{n}", name=f"Made {n}", version="1.0") for n in range(api.PAGE_SIZE)
    )


def test_the_api_has_pages(shelf_of_many: None, client: Client) -> None:
    """A page tells where the next one is; one after the last is empty."""
    first, second, third = (client.get(f"{API}?page={n}") for n in (1, 2, 3))
    assert len(first.json()) == api.PAGE_SIZE
    assert first.headers["Link"] == f'<http://testserver{API}?page=2>; rel="next"'
    assert [one["name"] for one in second.json()] == ["other", "Tiny.Thing"]
    assert second.json()[0]["requirements"] == ["tiny-thing"]
    assert "Link" not in second.headers
    assert third.json() == []


@pytest.mark.parametrize("asked", ["0", "-1", "x", "1.5", "", "²", "9" * 7])
def test_the_api_refuses_what_is_no_page(site: MadeUp, client: Client, asked: str) -> None:
    """400 with a message."""
    response = client.get(API, {"page": asked})
    assert (response.status_code, list(response.json())) == (400, ["detail"])


def test_the_api_knows_what_a_client_has(site: MadeUp, client: Client) -> None:
    """304 for an ETag that is still right, 200 after a change."""
    etag = client.get(API).headers["ETag"]
    assert client.get(API, headers={"If-None-Match": etag}).status_code == 304
    Distribution.objects.update(version="2.0")
    assert client.get(API, headers={"If-None-Match": etag}).status_code == 200


def test_the_api_has_a_limit(site: MadeUp, client: Client, time_machine: Any) -> None:
    """The 31st request in a minute is 429, and says when to come back; others are not concerned."""
    time_machine.move_to(1_000_000_020.0, tick=False)
    assert {client.get(API).status_code for _ in range(api.LIMIT)} == {200}
    refused = client.get(API)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "61")
    assert client.get(API, REMOTE_ADDR="127.0.0.2").status_code == 200
    time_machine.shift(61)
    assert client.get(API).status_code == 200


@pytest.fixture
def over_http(
    shelf_of_many: None, settings: Any, live_server: Any, tmp_path: Path
) -> Iterator[None]:
    """The catalogue asks the API of a server in another thread."""
    settings.SHELF_API = f"{live_server.url}/api/"
    settings.SHELF_RECORDS = tmp_path / "records"
    catalogue.endpoint.cache_clear()
    yield
    catalogue.endpoint().close()
    catalogue.endpoint.cache_clear()


over_http_only = pytest.mark.usefixtures("over_http")
pytestmark = pytest.mark.django_db(transaction=True)


@over_http_only
def test_the_page_keeps_what_the_api_answers(client: Client, time_machine: Any) -> None:
    """Just fetched, then fresh, then confirmed by 304s; the count is over all pages."""
    time_machine.move_to(1_000_000_020.0, tick=False)
    html = page(client, "/catalogue/")
    assert chips(html) == ["Just fetched"]
    assert "52 records" in html
    assert chips(page(client, "/catalogue/")) == ["Fresh"]
    time_machine.shift(31)
    assert chips(page(client, "/catalogue/")) == ["Confirmed"]


@over_http_only
@pytest.mark.parametrize(
    ("field", "comparison", "value", "names"),
    [
        ("name", "EQUAL", "other", ["other"]),
        ("name", "EQUAL", "other, Tiny.Thing, nothing", ["other", "Tiny.Thing"]),
        ("name", "GREATER_THAN", "Made 9", ["other", "Tiny.Thing"]),
        ("requirements", "EQUAL", "tiny-thing", ["other"]),
        ("id", "LESS_THAN_OR_EQUAL", "0", []),
        ("editable", "EQUAL", "Yes", []),
        ("name", "EQUAL", "' OR 1=1 --", []),
    ],
)
def test_the_form_queries(
    client: Client, field: str, comparison: str, value: str, names: list[str]
) -> None:
    """Each kind of field and comparison finds the records that fit."""
    response = client.get("/catalogue/", {"field": field, "comparison": comparison, "value": value})
    found = {package.name for package in response.context["found"]}
    assert set(names) <= found
    assert comparison != "EQUAL" or found == set(names)
    assert f"{len(found)} found" in response.content.decode()


@pytest.mark.parametrize(
    ("field", "comparison", "value", "wrong", "error"),
    [
        ("id", "EQUAL", "x", "value", "“x” is not a whole number"),
        ("id", "EQUAL", "1,,2", "value", "“” is not a whole number"),
        ("id", "EQUAL", "9" * 30, "value", "is too large"),
        ("editable", "EQUAL", "1", "value", "“1” is neither yes nor no"),
        ("name", "LESS_THAN", "a,b", "comparison", "neither before nor after another"),
        ("name", "EQUAL", "", "value", "required"),
        ("name", "EQUAL", "a" * 201, "value", "at most 200"),
        ("name", "EQUAL", "\0", "value", "Null characters"),
        ("name", "EQUAL", "\ud800", "value", "can be searched for"),
        ("password", "EQUAL", "a", "field", "Select a valid choice"),
        ("name", "LIKE", "a", "comparison", "Select a valid choice"),
    ],
)
def test_the_form_says_what_is_wrong(
    field: str, comparison: str, value: str, wrong: str, error: str
) -> None:
    """What can't be asked is an error of the field that it is about."""
    form = QueryForm({"field": field, "comparison": comparison, "value": value})
    assert not form.is_valid()
    assert list(form.errors) == [wrong]
    assert error in form.errors[wrong][0]


@over_http_only
def test_a_wrong_query_searches_nothing(client: Client) -> None:
    """The error is beside its field, with what was entered as text, and nothing was found."""
    html = page(client, "/catalogue/?field=editable&comparison=EQUAL&value=<b>")
    assert "“&lt;b&gt;” is neither yes nor no." in html
    assert 'aria-invalid="true" aria-describedby="id_value_error"' in html
    assert 'class="count"' not in html


@over_http_only
def test_the_limit_is_met_with_what_is_kept(client: Client, time_machine: Any) -> None:
    """Asked again too often, the API refuses, and the page shows the last answer and says so."""
    time_machine.move_to(1_000_000_020.0, tick=False)
    page(client, "/catalogue/")
    for _ in range(api.LIMIT // 2 - 1):
        client.post("/catalogue/ask/")
        assert "nothing has changed (304)" in page(client, "/catalogue/")
    client.post("/catalogue/ask/")
    html = page(client, "/catalogue/")
    assert "429 Too Many Requests, try again in" in html
    time_machine.shift(31)
    html = page(client, "/catalogue/?field=name&comparison=EQUAL&value=other")
    assert chips(html) == ["Stale"]
    assert "What was kept has expired" in html


def test_without_the_api(site: MadeUp, client: Client, settings: Any, tmp_path: Path) -> None:
    """With nothing kept and nobody there, the page says so; the button, too."""
    settings.SHELF_RECORDS = tmp_path / "records"
    catalogue.endpoint.cache_clear()
    html = page(client, "/catalogue/?field=name&comparison=EQUAL&value=other")
    assert chips(html) == ["Failed"]
    assert "it can't be reached" in html.replace("&#x27;", "'")
    client.post("/catalogue/ask/")
    assert "The API failed" in page(client, "/catalogue/")
    catalogue.endpoint.cache_clear()


def test_the_site_can_ask_itself(tmp_path: Path) -> None:
    """Under ``runserver`` the page gets its answer from the same process, from cold."""
    port = free_port()
    assert manage(tmp_path, "migrate").returncode == 0
    assert manage(tmp_path, "fill_shelf").returncode == 0
    command = [sys.executable, "-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}"]
    server = Process(command, env=environment_of(tmp_path, PORT=str(port)), log=tmp_path / "log")
    try:
        server.wait_for_log("Quit the server")

        def answers() -> Any:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/catalogue/")
            except httpx.TransportError:
                return None

        html = server.wait_until(answers, what="the page").text
        assert "Just fetched" in html
        assert re.search(r'id="answer">\d+ records', html)
    finally:
        server.kill()
