"""The code of docs/records.md."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from cacheback_app.records import CachedEndpoint, RequestMethod
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


def rows_after(line: str) -> list[list[str]]:
    """Return the cells of the table that follows ``line``, without its head."""
    table = PAGE.read_text().split(line)[1].strip().split("\n\n")[0]
    return [re.split(r"(?<!\\)\|", row.strip("| "))[:3] for row in table.splitlines()[2:]]


def test_every_option_of_an_endpoint_is_told() -> None:
    """The tables name each attribute and option of an endpoint, in order and with its default."""
    attributes = [row[0].strip(" `") for row in rows_after("A subclass says what it is about:\n")]
    assert attributes == list(CachedEndpoint.__annotations__)
    options = {
        name.strip(" `"): ast.literal_eval(default.strip(" `"))
        for name, default, _ in rows_after("all options after `client` are keywords.\n")
    }
    given = list(inspect.signature(CachedEndpoint.__init__).parameters.values())[1:]
    assert list(options.items()) == [(one.name, one.default) for one in given]
    keywords = [one.name for one in given if one.kind is one.KEYWORD_ONLY]
    assert keywords == list(options)[2:]
    assert all(":param " + name in (CachedEndpoint.__doc__ or "") for name in options)


def test_every_argument_of_a_request_is_told() -> None:
    """The page gives ``request`` as it is, and each of its arguments is in the table after that."""
    line = re.search(r"^`request\((.*)\)`, and `arequest` .*\n", PAGE.read_text(), re.MULTILINE)
    assert line
    names: dict[str, Any] = {"RequestMethod": RequestMethod}
    exec(f"def request(self, {line[1]}): ...", names)
    told, given = (
        [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]
        for method in (names["request"], CachedEndpoint.request)
    )
    assert told == given
    assert [row[0].strip(" `") for row in rows_after(line[0])] == [name for name, *_ in given[1:]]
