"""What a page tells HTTP caches: RFC 9110, RFC 9111, RFC 5861."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache as django_cache
from django.test import AsyncClient, Client
from django.utils.http import parse_http_date
from hypothesis import given
from hypothesis import strategies as st

from cacheback_app import Job, cacheback
from cacheback_app.engine.backing import Backing
from cacheback_app.engine.entry import Entry
from cacheback_app.http import cacheback_page, serve
from cacheback_app.testing import Clock, Refreshes, capture_refreshes, disabled, fake_clock, faults
from tests.http import site
from tests.http.site import Report, price

SEED = pytest.mark.parametrize("where", ["r", "async", "public", "hand", "ahand", "class"])


@pytest.fixture
def client() -> Client:
    return Client()


def directives(response: Any) -> dict[str, Any]:
    """Return the directives of ``Cache-Control``; numbers as such."""
    found = {}
    for part in response["Cache-Control"].split(", "):
        name, _, value = part.partition("=")
        found[name] = int(value) if value else True
    return found


def get(client: Client, where: str, **headers: str) -> Any:
    return client.get(f"/{where}/2026/", headers=headers)


@SEED
def test_a_page_just_made(where: str, client: Client, cacheback_clock: Clock) -> None:
    """It is fresh for the job's lifetime, may be served stale for as long as the job serves it,
    and has a validator."""
    response = get(client, where)
    assert response.content == b"2026 #1"
    assert directives(response) == {
        "public": True,
        "max-age": 600,
        "stale-while-revalidate": 3000,
        "stale-if-error": 3000,
    }
    assert response["Age"] == "0"
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', response["ETag"])


@SEED
def test_what_is_left(where: str, client: Client, cacheback_clock: Clock) -> None:
    """``max-age`` less ``Age`` is what is left of the freshness, and then nothing."""
    get(client, where)
    for seconds, left in ((100, 500), (499, 1), (1, 0), (5, -5)):
        cacheback_clock.advance(seconds)
        with capture_refreshes():
            response = get(client, where)
        assert response.content == b"2026 #1"
        assert directives(response)["max-age"] - int(response["Age"]) == left
        assert parse_http_date(response["Last-Modified"]) <= cacheback_clock.time()


@SEED
def test_not_modified(where: str, client: Client, cacheback_clock: Clock) -> None:
    """A client that has the value gets 304 with the headers that 200 would have, and no view is
    run (RFC 9110, 15.4.5)."""
    first = get(client, where)
    site.run.clear()
    cacheback_clock.advance(10)
    second = get(client, where, if_none_match=first["ETag"])
    assert (second.status_code, second.content) == (304, b"")
    assert second["ETag"] == first["ETag"]
    assert second["Cache-Control"] == first["Cache-Control"]
    assert second.headers.get("Vary") == first.headers.get("Vary")
    assert second["Age"] == "10"
    assert site.run == []


@SEED
def test_renewed(where: str, client: Client, cacheback_clock: Clock) -> None:
    """As soon as the value is renewed the client gets the new page and its tag; until then the
    stale one is still what it has."""
    first = get(client, where)
    cacheback_clock.advance("11m")
    with capture_refreshes() as refreshes:
        assert get(client, where, if_none_match=first["ETag"]).status_code == 304
        assert refreshes.run() == [True]
    new = get(client, where, if_none_match=first["ETag"])
    assert (new.status_code, new.content) == (200, b"2026 #2")
    assert new["ETag"] != first["ETag"]


def test_invalidated(
    client: Client, cacheback_clock: Clock, cacheback_refreshes: Refreshes
) -> None:
    """An invalidated value is stale downstream as well, and is the same value."""
    first = get(client, "r")
    cacheback_clock.advance(10)
    Report().invalidate(2026)
    second = get(client, "r")
    assert directives(second)["max-age"] == int(second["Age"])
    assert second["ETag"] == first["ETag"]


def test_renewed_while_the_view_runs(client: Client, cacheback_clock: Clock) -> None:
    """A page that was made from the old value never gets the new one's tag or freshness."""
    get(client, "r")
    old = get(client, "r")
    cacheback_clock.advance(30)

    def renew(request: Any, *, served: Any, year: int) -> Any:
        Report().refresh(year)
        return site.answer(request, served=served)

    page = cacheback_page(Report)(renew)
    response = page(get(client, "r").wsgi_request, year=2026)
    assert response.content == b"2026 #1"
    assert (response["ETag"], response["Age"]) == (old["ETag"], "30")
    assert get(client, "r", if_none_match=response["ETag"]).content == b"2026 #2"


@SEED
def test_if_modified_since(where: str, client: Client, cacheback_clock: Clock) -> None:
    """``Last-Modified`` is a validator for clients that know no tags. It is left out within the
    second in which the value came, as another one may come in it (RFC 9110, 8.8.2.2)."""
    assert "Last-Modified" not in get(client, where)
    cacheback_clock.advance(2)
    since = get(client, where)["Last-Modified"]
    assert get(client, where, if_modified_since=since).status_code == 304
    Report().refresh(2026)
    assert get(client, where, if_modified_since=since).status_code == 200


@pytest.mark.parametrize(
    "tag",
    [
        '"x"',
        "",
        ",",
        '"',
        "W/",
        "\x00",
        '"' * 5000,
        "W/" + '"a",' * 2000,
        '"<script>"',
        "é",
        '*, "x"',
        "'*'",
    ],
)
def test_hostile_if_none_match(tag: str, client: Client) -> None:
    """A tag that is not ours is answered with the page, whatever it is."""
    get(client, "r")
    response = get(client, "r", if_none_match=tag)
    assert (response.status_code, response.content) == (200, b"2026 #1")
    assert "script" not in str(response.headers)


def test_any_of_several_tags(client: Client) -> None:
    """One of the client's tags is enough, in its weak or strong form, and "*" is any."""
    tag = get(client, "r")["ETag"]
    for sent in (f'"other", {tag}', tag.removeprefix("W/"), "*"):
        assert get(client, "r", if_none_match=sent).status_code == 304


def test_a_tag_beats_a_date(client: Client, cacheback_clock: Clock) -> None:
    """``If-Modified-Since`` is ignored when there is a tag (RFC 9110, 13.1.3)."""
    get(client, "r")
    cacheback_clock.advance(5)
    since = get(client, "r")["Last-Modified"]
    response = get(client, "r", if_modified_since=since, if_none_match='"other"')
    assert response.status_code == 200


@SEED
def test_head(where: str, client: Client, cacheback_clock: Clock) -> None:
    """HEAD has GET's headers and no body (RFC 9110, 9.3.2)."""
    page = get(client, where)
    head = client.head(f"/{where}/2026/")
    assert head.content == b""
    for name in ("Cache-Control", "Age", "ETag"):
        assert head[name] == page[name]
    again = client.head(f"/{where}/2026/", headers={"if-none-match": page["ETag"]})
    assert again.status_code == 304


def test_other_methods(client: Client) -> None:
    """Nothing but GET and HEAD gets headers or is answered with 304; the view is run."""
    tag = get(client, "r")["ETag"]
    response = client.post("/r/2026/", headers={"if-none-match": tag})
    assert (response.status_code, response.content) == (200, b"2026 #1")
    assert not {"Cache-Control", "ETag", "Age"} & response.headers.keys()


def test_in_an_event_loop(cacheback_clock: Clock) -> None:
    """Async views are answered in the loop, by the same rules (J18)."""

    async def ask() -> list[Any]:
        client = AsyncClient()
        first = await client.get("/async/2026/")
        again = await client.get("/async/2026/", headers={"if-none-match": first["ETag"]})
        return [first.content, again.status_code]

    assert asyncio.run(ask()) == [b"2026 #1", 304]


def test_only_what_succeeds(client: Client) -> None:
    """A 404 of the view is no page of the value."""
    response = get(client, "missing")
    assert response.status_code == 404
    assert "Cache-Control" not in response and "ETag" not in response


def test_the_views_own_header_stays(client: Client) -> None:
    """A ``Cache-Control`` that the view sets is kept."""
    assert get(client, "headers")["Cache-Control"] == "no-store"


# What is not kept


def test_without_a_cache(client: Client) -> None:
    """A page of a value that could not be kept is not kept by others either (J11)."""
    with faults.cache_down():
        response = get(client, "r")
    assert (response.content, response["Cache-Control"]) == (b"2026 #1", "no-store")
    assert "ETag" not in response


def test_disabled(client: Client) -> None:
    """With ``CACHEBACK_ENABLED = False`` nothing is cached downstream."""
    with disabled():
        assert get(client, "r")["Cache-Control"] == "no-store"
        assert get(client, "async")["Cache-Control"] == "no-store"
    assert Report().raw_get(2026) is None


def test_an_empty_value_is_not_kept(cacheback_refreshes: Refreshes) -> None:
    """What stands in for a missing value has no freshness (J4)."""
    served = serve(Report().using(fetch_on_miss=False), 2026)
    assert (served.value, served.freshness) == (None, None)


# Arguments


@pytest.mark.parametrize("where", ["tuple", "single", "mapping", "call"])
def test_arguments(where: str, client: Client) -> None:
    """``args`` gives the job's arguments in any of the forms that ``get_many`` takes, or as a
    mapping."""
    assert client.get(f"/{where}/").content == b"2026 #1"
    assert site.fetched == [2026]


def test_a_decorated_function(client: Client) -> None:
    """A decorated function is a job as well; its arguments are the URL's."""
    assert client.get("/price/tea/").content == b"tea #1"
    assert price.raw_get("tea")


def test_a_method() -> None:
    """A cached method of one object is, too."""
    shelf = Shelf("a")
    served = [serve(shelf.books, 1), serve(shelf.books, 1), serve(Shelf("b").books, 1)]
    assert [each.value for each in served] == ["a 1", "a 1", "b 1"]
    assert [each.status for each in served] == [Job.MISS, Job.HIT, Job.MISS]


@dataclass(frozen=True)
class Shelf:
    """Has a cached method."""

    name: str

    @cacheback
    def books(self, number: int) -> str:
        return f"{self.name} {number}"


def test_what_is_no_job() -> None:
    """Anything else is refused at decoration."""
    with pytest.raises(TypeError, match="neither a job"):
        cacheback_page(print)  # type: ignore[arg-type]


# Options


def test_max_stale(client: Client) -> None:
    """``max_stale`` shortens what the job would allow."""
    found = directives(get(client, "short"))
    assert (found["stale-while-revalidate"], found["stale-if-error"]) == (5, 5)


def test_policy_of_the_job(cacheback_clock: Clock) -> None:
    """How long a stale copy will do follows from the job's own options (RFC 5861)."""
    from cacheback_app.http.headers import cache_control

    def told(**options: Any) -> str:
        served = serve(Report().using(version=str(options), **options), 2026)
        assert served.freshness
        return cache_control(served.freshness, "private").removeprefix("private, max-age=600")

    assert told(fetch_on_stale_threshold=900).startswith(", stale-while-revalidate=300, stale-if-e")
    assert told(fetch_on_stale_threshold=60, stale_if_error=False) == ""
    assert told(stale_if_error=False) == ", stale-while-revalidate=3000"
    assert told(cache_ttl=None).endswith("stale-if-error=31536000")
    assert told(cache_ttl=600) == ""


def test_version(client: Client) -> None:
    """Another ``version`` is another tag."""
    assert get(client, "v2")["ETag"] != get(client, "r")["ETag"]


def test_vary(client: Client) -> None:
    """A header by which the page differs is part of ``Vary`` and of the tag."""
    whole, part = get(client, "htmx"), get(client, "htmx", hx_request="true")
    assert "HX-Request" in whole["Vary"]
    assert whole["ETag"] != part["ETag"]
    assert get(client, "htmx", hx_request="true", if_none_match=whole["ETag"]).status_code == 200


def test_languages(client: Client) -> None:
    """A page in another language has another tag."""
    from django.utils.translation import override

    with override("de"):
        german = get(client, "r")["ETag"]
    with override("fr"):
        assert get(client, "r")["ETag"] != german


@given(
    lifetime=st.floats(0, 1e6),
    ttl=st.none() | st.floats(0, 1e6),
    waited=st.floats(0, 2e6),
    threshold=st.none() | st.floats(0, 1e6),
)
def test_never_fresher_than_the_job(
    lifetime: float, ttl: float | None, waited: float, threshold: float | None
) -> None:
    """Whatever the options and the time: what HTTP caches think is left is never more than what
    the job says, and they never use a copy that the job would not serve."""
    django_cache.clear()
    job = Report().using(lifetime=lifetime, cache_ttl=ttl, fetch_on_stale_threshold=threshold)
    view = cacheback_page(job)(site.answer)
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    with fake_clock(1_800_000_000.0) as clock, capture_refreshes():
        view(request, year=1)
        clock.advance(waited)
        served = serve(job, 1)
        response = view(request, year=1)
        if served.freshness is None:
            assert response["Cache-Control"] == "no-store"
            return
        told = directives(response)
        age = int(response["Age"])
        left = served.freshness.expiry - clock.time()
        resolution = 1e-6  # of today's timestamps, as floats; a quarter of that, in truth
        assert told["max-age"] <= lifetime + resolution
        assert max(0, told["max-age"] - age) <= max(0.0, left) + resolution
        ends = clock.time() + told["max-age"] + told.get("stale-while-revalidate", 0) - age
        assert ends <= max(served.freshness.serve_until, served.freshness.expiry) + 1e-3


class Kept(Backing):
    """Has the value of yesterday, whatever becomes of the cache."""

    def load(self, call: Any) -> Entry | None:
        return Entry("kept", 1_800_000_000.0, 1_800_000_600.0)

    def save(
        self,
        call: Any,
        value: Any,
        fetched_at: float,
        commit: Callable[[], Any],
        is_kept: Callable[[Any], bool],
    ) -> Any:
        return commit()

    def invalidate(self, call: Any) -> None:
        raise AssertionError

    def delete(self, call: Any) -> None:
        raise AssertionError


def test_restored_from_a_backing(client: Client) -> None:
    """A value that the cache lost and the job's backing restores is served with the freshness that
    it has there (P6)."""

    class Backed(Report):
        _backing = Kept()

    job = Backed()
    with fake_clock(1_800_000_000.0) as clock:
        clock.advance(100)
        served = serve(job, 2026)
        assert served.freshness is not None
        assert (served.value, served.status, served.freshness.age) == ("kept", Job.HIT, 100)
    assert site.fetched == []
