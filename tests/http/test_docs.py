"""The code in docs/http.md works."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse
from django.test import RequestFactory

from cacheback_app.testing import Clock
from tests.http.site import Report
from tests.services import ROOT

TEXT = (ROOT / "docs" / "http.md").read_text()
PAGE, FEED, FRAGMENT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
HEADERS = dict(
    line.split(": ", 1)
    for line in re.findall(r"```http\n(.*?)\n```", TEXT, re.DOTALL)[0].splitlines()
)


def run(code: str, **names: Any) -> SimpleNamespace:
    namespace: dict[str, Any] = {"__name__": __name__, "reports": Report(), **names}
    exec(code, namespace)
    return SimpleNamespace(**namespace)


def test_page(cacheback_clock: Clock) -> None:
    """The page has the headers that the page says."""
    view = run(PAGE, render=lambda request, name, context: HttpResponse(context["report"]))
    request = RequestFactory().get("/")
    view.report_page(request, 2026)
    cacheback_clock.advance(100)
    response = view.report_page(request, 2026)
    for name in ("Cache-Control", "Age", "Vary"):
        assert response[name] == HEADERS[name]
    assert response.headers.keys() >= HEADERS.keys()


def test_feed() -> None:
    """The view that reads for itself answers."""
    view = run(FEED, JsonResponse=JsonResponse)
    assert view.report_feed(RequestFactory().get("/"), 2026)["Cache-Control"].startswith("public")


def test_fragment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fragment renders what its function returns."""

    class Books(list[str]):
        objects: Any

        def filter(self, shop: int) -> "Books":
            return Books(f"book {shop}.{each}" for each in range(20))

        def order_by(self, name: str) -> "Books":
            return self

    Books.objects = Books()
    monkeypatch.setattr(
        "cacheback_app.fragments.render_to_string",
        lambda name, context: f"{name} {len(context['books'])}",
    )
    made = run(FRAGMENT, Book=Books)
    assert made.bestsellers(1, limit=5) == "shop/_bestsellers.html 5"
