"""What shared caches may keep: nobody's page is ever given to another."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from cacheback_app.http import serve, with_freshness
from cacheback_app.testing import Clock
from tests.http.site import Report


def get(client: Client, where: str, **headers: str) -> Any:
    return client.get(f"/{where}/2026/", headers=headers)


def scope(response: Any) -> str:
    return str(response["Cache-Control"]).partition(",")[0]


def test_made_for_nobody() -> None:
    """Without cookies and credentials a page is public, and says by what it might differ."""
    response = get(Client(), "r")
    assert scope(response) == "public"
    assert response["Vary"] == "Cookie, Authorization"


@pytest.mark.parametrize("header", ["cookie", "authorization"])
def test_made_for_somebody(header: str) -> None:
    """A request that tells who asks is answered privately, with a tag of its own."""
    client = Client()
    anonymous = get(client, "r")
    response = get(client, "r", **{header: "a=b"})
    assert scope(response) == "private"
    assert response["ETag"] != anonymous["ETag"]
    assert get(client, "r", if_none_match=anonymous["ETag"], **{header: "a=b"}).status_code == 200
    mine = get(client, "r", if_none_match=response["ETag"], **{header: "a=b"})
    assert (mine.status_code, scope(mine)) == (304, "private")
    other = get(client, "r", if_none_match=response["ETag"], **{header: "a=c"})
    assert other.status_code == 200


@pytest.mark.parametrize("where", ["cookie", "token", "keys"])
def test_a_response_for_somebody(where: str) -> None:
    """A response that sets a cookie, has a form's token, or belongs to a user who was
    authenticated in another way is private, though the request told nothing."""
    assert scope(get(Client(), where)) == "private"


@pytest.mark.parametrize("where", ["session", "template"])
def test_a_session(where: str) -> None:
    """A page made from a session is private, even when it is rendered after the view; one that
    found an empty one is for nobody."""
    client = Client()
    assert scope(get(client, where)) == "public"
    client.get("/login/ada/")
    page = get(client, where)
    assert b"ada" in page.content
    assert (scope(page), "Cookie" in page["Vary"]) == ("private", True)


def test_another_session_in_the_same_browser() -> None:
    """Who signs in as somebody else is never told that the page did not change."""
    client = Client()
    client.get("/login/ada/")
    ada = get(client, "session")
    client.get("/login/grace/")
    grace = get(client, "session", if_none_match=ada["ETag"])
    assert (grace.status_code, b"grace" in grace.content) == (200, True)


def test_public_by_promise() -> None:
    """``public=True`` holds for requests with cookies, and one tag is everybody's."""
    client = Client()
    page = get(client, "public", cookie="a=b")
    assert scope(page) == "public"
    assert "Vary" not in page
    assert get(Client(), "public", if_none_match=page["ETag"]).status_code == 304


@pytest.mark.parametrize("where", ["public/session", "public/token", "public/template"])
def test_a_promise_that_is_broken(where: str) -> None:
    """A page that was promised to be everybody's and is made for one is kept by nobody, and has no
    tag by which another's would be taken for it."""
    client = Client()
    client.get("/login/ada/")
    page = get(client, where)
    assert page["Cache-Control"] == "private, no-cache"
    assert "ETag" not in page and "Last-Modified" not in page


def test_credentials_break_the_promise() -> None:
    """With ``Authorization`` even a promised page is private (RFC 9111, 3.5), and never 304."""
    tag = get(Client(), "public")["ETag"]
    page = get(Client(), "public", authorization="Bearer x", if_none_match=tag)
    assert (page.status_code, page["Cache-Control"]) == (200, "private, no-cache")


def test_with_freshness_of_a_cookie(cacheback_clock: Clock) -> None:
    """The helper looks at the response, too, before it answers 304."""
    served = serve(Report(), 2026)
    tag = get(Client(), "hand")["ETag"]
    request = RequestFactory().get("/", headers={"if-none-match": tag})
    response = HttpResponse("for one")
    response.set_cookie("seen", "1")
    answer = with_freshness(request, response, served, public=True)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache")
    assert with_freshness(request, HttpResponse(), served, public=True).status_code == 304


def test_private() -> None:
    """``public=False`` is private for everybody."""
    page = get(Client(), "private")
    assert scope(page) == "private"
    assert "Cookie" in page["Vary"]


def test_tags_tell_nothing() -> None:
    """A tag cannot be made by who does not know the site's key, so it tells no cookie."""
    client = Client()
    tag = get(client, "r", cookie="a=b")["ETag"]
    from django.test import override_settings

    with override_settings(SECRET_KEY="another"):
        assert get(client, "r", cookie="a=b")["ETag"] != tag
