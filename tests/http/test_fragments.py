"""``{% cacheback %}`` and ``@cacheback_fragment``."""

import asyncio
import os
import signal
import sys
import threading
from datetime import date
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.template import Context, Template, TemplateSyntaxError
from django.utils import timezone, translation
from django.utils.safestring import SafeString

from cacheback_app import Job
from cacheback_app.engine import registry
from cacheback_app.templatetags import cacheback
from cacheback_app.testing import Clock, Refreshes, capture_refreshes, disabled, faults
from tests.http import fragments
from tests.http.fragments import Shop, abooks, books, from_database, gates, lazy, made


def render(source: str, /, **context: Any) -> str:
    """Return what a template with the tag loaded makes of ``context``."""
    return str(Template("{% load cacheback %}" + source).render(Context(context))).strip()


BOOKS = '{% cacheback "tests.http.fragments.books" shop %}'


def test_inserted() -> None:
    """The tag inserts the rendered template as it is; a second time it is not made again (J1)."""
    assert render(BOOKS, shop="a") == "<p>a #1</p>"
    assert render(BOOKS, shop="a") == "<p>a #1</p>"
    assert render(BOOKS, shop="b") == "<p>b #2</p>"
    assert made == [("a", 2), ("b", 2)]


def test_escaped_inside() -> None:
    """What the context gives to the fragment's template is escaped in it, once."""
    assert render(BOOKS, shop="<script>") == "<p>&lt;script&gt; #1</p>"
    assert render(BOOKS, shop="<script>") == "<p>&lt;script&gt; #1</p>"


@pytest.mark.parametrize("name", ["local", "alocal"])
def test_made_for_everybody(name: str, settings: Any) -> None:
    """Who comes first does not decide the language and time zone in which everybody gets a
    fragment: they are the site's own, as in a worker (section 7)."""
    with translation.override("de"), timezone.override("Asia/Tokyo"):
        made_here = render(f'{{% cacheback "tests.http.fragments.{name}" "a" %}}')
        assert translation.get_language() == "de"
    assert made_here == f"{settings.LANGUAGE_CODE} {settings.LANGUAGE_CODE} {settings.TIME_ZONE}"


def test_stale_while_renewed(cacheback_clock: Clock, cacheback_refreshes: Refreshes) -> None:
    """A stale fragment is inserted at once, and a worker renders the new one (J2)."""
    render(BOOKS, shop="a")
    cacheback_clock.advance("10m")
    assert render(BOOKS, shop="a") == "<p>a #1</p>"
    (refresh,) = cacheback_refreshes
    assert (refresh.job, refresh.args) == ("tests.http.fragments.books", ("a",))
    assert refresh.run()
    assert render(BOOKS, shop="a") == "<p>a #2</p>"


def test_a_worker_finds_it(settings: Any, cacheback_clock: Clock) -> None:
    """A message to another process names the function; its template is in the code (J14, J15)."""
    settings.CACHEBACK_TASK_QUEUE = "celery"
    render(BOOKS, shop="a")
    cacheback_clock.advance("10m")
    with capture_refreshes() as refreshes:
        render(BOOKS, shop="a")
        assert "books.html" not in str(refreshes[0].call.message())
        assert refreshes.run() == [True]


def test_arguments_of_the_tag() -> None:
    """Positional and keyword arguments, filters and literals are what the function gets; equal
    calls share an entry (J13)."""
    first = render(
        '{% cacheback "tests.http.fragments.books" shop|lower limit=number|add:1 %}',
        shop="A",
        number=2,
    )
    assert first == "<p>a #1</p>"
    assert made == [("a", 3)]
    assert render("{% cacheback 'tests.http.fragments.books' shop=\"a\" limit=3 %}") == first
    assert books("a", limit=3) == "<p>a #1</p>\n"
    assert len(made) == 1


def test_types_of_arguments() -> None:
    """Arguments keep their types, and safe text is plain text to a job."""
    tag = '{% cacheback "tests.http.fragments.amount" value %}'
    assert render(tag, value=1) == "int 1"
    assert render(tag, value=SafeString("x")) == render(tag, value="x") == "str x"
    assert render(tag, value=date(2026, 1, 2)) == "date 2026-01-02"
    with pytest.raises(TypeError, match="value"):
        render(tag, value=object())


def test_other_jobs_are_escaped() -> None:
    """The value of a job that is no fragment is escaped as any variable is."""
    tag = '{% cacheback "tests.http.fragments.Markup" %}'
    assert render(tag) == "&lt;b&gt;"
    assert render("{% autoescape off %}" + tag + "{% endautoescape %}") == "<b>"


def test_as_a_variable() -> None:
    """With ``as`` nothing is inserted; the variable is the value, safe if it is a fragment."""
    assert render('{% cacheback "tests.http.fragments.Markup" as text %}{{ text }}') == "&lt;b&gt;"
    tag = '{% cacheback "tests.http.fragments.books" "a" as part %}[{{ part }}]'
    assert "<p>a #1</p>" in render(tag)


@pytest.mark.parametrize("alias", ["default", "redis", "file"])
def test_safe_from_every_cache(alias: str, request: pytest.FixtureRequest, settings: Any) -> None:
    """Fragments are stored as plain text, and are safe when they come back."""
    if alias == "redis":
        request.getfixturevalue("redis_url")
    settings.CACHES = {"default": settings.CACHES[alias]}
    for _ in range(2):
        assert render(BOOKS, shop="a") == "<p>a #1</p>"
        assert type(books("a")) is SafeString
    raw = books.raw_get("a")
    assert raw and type(raw[1]) is str
    caches["default"].clear()


def test_while_it_is_made_elsewhere(cacheback_refreshes: Refreshes) -> None:
    """Without ``fetch_on_miss`` nothing is inserted until a worker has made it (J4)."""
    tag = '{% cacheback "tests.http.fragments.lazy" "a" %}'
    assert render(tag) == ""
    assert cacheback_refreshes.run() == [True]
    assert render(tag) == "<p>a #1</p>"
    assert lazy("a") == "<p>a #1</p>\n"


def test_without_a_cache() -> None:
    """A page is rendered without a cache, or with caching switched off (J11)."""
    with faults.cache_down():
        assert render(BOOKS, shop="a") == "<p>a #1</p>"
    with disabled():
        assert render(BOOKS, shop="a") == "<p>a #2</p>"


def test_nested() -> None:
    """A fragment in a fragment is cached by itself."""
    tag = '{% cacheback "tests.http.fragments.outer" "a" %}'
    assert "<p>a #1</p>" in render(tag)
    assert "<p>a #1</p>" in render(BOOKS, shop="a")


def test_of_a_class() -> None:
    """A static method can be a fragment; its path is that of the class (J15)."""
    assert render('{% cacheback "tests.http.fragments.Shop.shelf" "a" %}') == "<p>a #0</p>"
    assert Shop.shelf("a") == "<p>a #0</p>\n"


def test_is_a_job() -> None:
    """A fragment has all that a decorated function has."""
    books("a")
    assert books.explain("a").status == Job.HIT
    books.delete("a")
    assert books.explain("a").status == Job.MISS
    assert books.fn.__name__ == "books"
    assert books.__doc__ == "Return the books of a shop."


# Async


def test_async_fragment() -> None:
    """An async function makes a fragment for sync and async callers alike (J18)."""
    tag = '{% cacheback "tests.http.fragments.abooks" "a" %}'
    assert render(tag) == "<p>a #1</p>"

    async def ask() -> list[str]:
        return [str(await abooks("a")), await sync_to_async(render)(tag)]

    assert asyncio.run(ask()) == ["<p>a #1</p>\n", "<p>a #1</p>"]


@pytest.mark.parametrize("name", ["books", "abooks"])
def test_rendered_in_the_event_loop(name: str) -> None:
    """A template that is rendered in the loop itself gets its fragments, made there or cached."""
    tag = '{% cacheback "tests.http.fragments.' + name + '" "a" %}'

    async def ask() -> list[str]:
        return [render(tag), render(tag)]

    assert asyncio.run(ask()) == ["<p>a #1</p>"] * 2


@pytest.mark.django_db(transaction=True)
def test_database_in_the_event_loop() -> None:
    """What reads the database is made in a thread, as Django wants it."""
    tag = '{% cacheback "tests.http.fragments.from_database" "a" %}'

    async def ask() -> str:
        return render(tag)

    assert asyncio.run(ask()) == "<p>a #0</p>"
    assert from_database("a") == "<p>a #0</p>\n"


def test_no_deadlock_in_the_event_loop() -> None:
    """A fragment that is being made in the loop that renders is not waited for: nothing is
    inserted in its place."""

    async def ask() -> list[str]:
        gate = gates["z"] = asyncio.Event()
        making = asyncio.ensure_future(abooks.job.aget(abooks, "z"))
        while not made:
            await asyncio.sleep(0)
        inserted = render('{% cacheback "tests.http.fragments.abooks" "z" %}')
        gate.set()
        return [inserted, str(await making)]

    assert asyncio.run(ask()) == ["", "<p>z #1</p>\n"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_renders_in_its_event_loop() -> None:
    """A child has threads of its own: those of its parent, however many, stayed there (J18)."""
    every = threading.Barrier(4)
    for waiting in [cacheback._threads().submit(every.wait, 30) for _ in range(4)]:
        waiting.result()

    async def ask() -> str:
        return render(BOOKS, shop="a")

    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)  # rather than wait for ever
        try:
            assert asyncio.run(ask()) == "<p>a #1</p>"
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# What is refused


@pytest.mark.parametrize(
    "tag",
    [
        "{% cacheback %}",
        "{% cacheback path %}",
        "{% cacheback \"tests.http.fragments.books' %}",
        '{% cacheback "" %}',
        '{% cacheback "books" %}',
        '{% cacheback "tests.http.fragments.plain" "a" %}',
        '{% cacheback "tests.http.fragments.missing" %}',
        '{% cacheback "tests.nowhere.books" %}',
        '{% cacheback "os.system" "true" %}',
        '{% cacheback ".." %}',
        '{% cacheback "tests.http.fragments.books" limit=1 "a" %}',
        '{% cacheback "tests.http.fragments.books" limit=1 limit=2 %}',
        '{% cacheback "tests.http.fragments.books" "a" as %}',
    ],
)
def test_refused_when_compiled(tag: str) -> None:
    """Only a registered job that the template's author wrote down is taken; anything else is a
    syntax error before anything is rendered, and nothing is called (J15)."""
    with pytest.raises(TemplateSyntaxError):
        Template("{% load cacheback %}" + tag)


def test_its_module_is_imported() -> None:
    """The tag imports the module that the template names, if nothing has yet."""
    path = "tests.http.late:late"
    sys.modules.pop("tests.http.late", None)
    registry._targets.pop(path, None)
    assert render('{% cacheback "tests.http.late.late" %}') == "<p>late #1</p>"


def test_no_template_named() -> None:
    """Without a template's name the decorator says how it is used."""
    with pytest.raises(TypeError, match="name the template"):
        fragments.cacheback_fragment(dict)  # type: ignore[arg-type]


def test_wrong_arguments() -> None:
    """Arguments that the function does not take are its ``TypeError``."""
    with pytest.raises(TypeError, match="books"):
        render('{% cacheback "tests.http.fragments.books" %}')
