"""The code of docs/records.md."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.records.conftest import close

PAGE = Path(__file__).parents[2] / "docs" / "records.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(code: list[str]) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec("\n".join(code), names)
    return names


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the API of the page does."""
    one = {"id": 7, "customer": "ada", "total": 120.0}
    is_list = request.method == "GET" and request.url.path.endswith("/invoices")
    return httpx.Response(200, json=[one] if is_list else one)


def test_the_client_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does the client at its beginning, at a server that answers like that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: answer(request))
    *_, last = (names := run(blocks()[:1]))["invoices"].load_cache()
    assert (last.customer, last.total) == ("ada", 120)
    assert names["invoices"].query() == [last]
    names["invoices"].client.close()
    close(names["invoices"].cache)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows does what it says, and it leaves the two records that it has added."""
    monkeypatch.chdir(tmp_path)
    cache = run(blocks()[1:3])["cache"]
    assert [(one.id, one.name) for one in cache.load_cache()] == [(1, "write"), (2, "rest")]
    close(cache)
