"""What no well-meaning client sends: always a 400 that says why, and nothing is stored."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.sodarcache.support import APP

BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "two values": b"{} {}",
    "no UTF-8": b'{"data": "\xff"}',
    "a list": b"[1]",
    "a text": b'"data"',
    "null": b"null",
    "no data": b'{"Data": 1}',
    "NaN": b'{"data": [NaN]}',
    "Infinity": b'{"data": -Infinity}',
    "a number beyond floats": b'{"data": {"x": 1e999}}',
    "an integer beyond reading": b'{"data": %s}' % (b"9" * 5000),
    "NUL": b'{"data": "a\\u0000b"}',
    "NUL in a key": b'{"data": {"a\\u0000b": 1}}',
    "half a character": b'{"data": ["\\ud800"]}',
    "half a character in a key": b'{"data": {"\\ud800": 1}}',
    "brackets": b'{"data": %s%s}' % (b"[" * 100_000, b"]" * 100_000),
    "open brackets": b'{"data": ' + b"[" * 100_000,
    "deep objects": b'{"data": %s1%s}' % (b'{"a": ' * 5000, b"}" * 5000),
    "a little too deep": b'{"data": %s%s}' % (b"[" * 250, b"]" * 250),
}


def post(client: Any, url: str, body: bytes, content_type: str = "application/json") -> Any:
    """Send a body as it is."""
    return client.generic("POST", url, body, content_type=content_type)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_stored(writer: Any, project: Any, items: Any, body: bytes) -> None:
    """P5: REST answers 400 with a message, never 500."""
    response = post(writer, writer.address("set", project), body)
    assert response.status_code == 400
    assert response.json()["detail"]
    assert not items.exists()


def test_the_message_names_the_place(writer: Any, project: Any) -> None:
    """P5: the path in the data is named."""
    response = writer.store(project, {"rows": [{"name": "a\0"}]})
    assert "data.rows[0].name" in response.json()["detail"]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("x" * 256, {"set": 400, "retrieve": 404, "retrieve/date": 404, "delete": 404}),
        ("a\0b", dict.fromkeys(["set", "retrieve", "retrieve/date", "delete"], 400)),
        ("x" * 100_000, {"set": 400, "retrieve": 404, "retrieve/date": 404, "delete": 404}),
    ],
)
def test_a_name_that_cannot_be_stored(
    writer: Any, project: Any, items: Any, name: str, statuses: dict[str, int]
) -> None:
    """P5: 400 for a name that can't be, 404 for one that is not there."""
    methods = {"set": "POST", "delete": "DELETE"}
    for kind, status in statuses.items():
        url = writer.address(kind, project, quote(name))
        body = b'{"data": 1}' if kind == "set" else b""
        response = writer.generic(
            methods.get(kind, "GET"), url, body, content_type="application/json"
        )
        assert (kind, response.status_code) == (kind, status)
        assert response.json()["detail"]
    assert not items.exists()


@pytest.mark.parametrize("app", ["no_such_app", "%00", "x" * 5000, "' OR 1=1 --", "é", ".."])
def test_an_unknown_app(writer: Any, project: Any, app: str) -> None:
    """P5: 400, and the message names those that there are."""
    for kind, method in (
        ("set", "POST"),
        ("delete", "DELETE"),
        ("retrieve", "GET"),
        ("retrieve/date", "GET"),
    ):
        url = writer.address(kind, project, app=app)
        response = writer.generic(method, url, b'{"data": 1}', content_type="application/json")
        assert response.status_code == 400
        assert APP in response.json()["detail"]


@pytest.mark.parametrize("name", ["a/b/c", "/a", "a/", "a b", "é🗼", "a%2Fb", "?", "#", ".."])
def test_names_of_all_sorts_are_reached(writer: Any, project: Any, api: Any, name: str) -> None:
    """REST: slashes and all."""
    quoted = quote(name)
    assert writer.store(project, name, quoted).status_code == 200
    assert api.get_cache_item(APP, name, project).data == name
    assert writer.read(project, quoted).json()["data"] == name
    assert writer.remove(project, quoted).status_code == 204


def test_forms_are_not_json(writer: Any, project: Any, items: Any) -> None:
    """REST: 415, as a form's values would silently all be texts."""
    url = writer.address("set", project)
    for content_type in ("application/x-www-form-urlencoded", "text/plain"):
        assert post(writer, url, b"data=1", content_type).status_code == 415
    assert not items.exists()


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"items": None},
        {"items": []},
        {"items": {}},
        {"items": [1]},
        {"items": [{"app_name": APP, "name": "n"}]},
        {"items": [{"app_name": APP, "data": 1}]},
        {"items": [{"name": "n", "data": 1}]},
        {"items": [{"app_name": APP, "name": "", "data": 1}]},
        {"items": [{"app_name": APP, "name": "n" * 256, "data": 1}]},
        {"items": [{"app_name": "no_such_app", "name": "n", "data": 1}]},
        {"items": [{"app_name": APP, "name": ["n"], "data": 1}]},
        {"items": [{"app_name": APP, "name": "a\0b", "data": 1}]},
        {"items": [{"app_name": APP, "name": "n", "data": "a\0b"}]},
        {"items": [{"app_name": APP, "name": f"n{i}", "data": 1} for i in range(1001)]},
    ],
    ids=range(17),
)
def test_a_bulk_that_cannot_be_stored(writer: Any, project: Any, items: Any, body: Any) -> None:
    """P5: all or none: what is before the flaw isn't stored, either."""
    if isinstance(body, dict) and isinstance(body.get("items"), list) and body["items"]:
        body["items"].insert(0, {"app_name": APP, "name": "fine", "data": 1})
    url = f"/cache/api/set/{project.sodar_uuid}"
    response = post(writer, url, json.dumps(body).encode())
    assert response.status_code == 400
    assert response.json()
    assert not items.exists()


def test_large_numbers_survive(writer: Any, project: Any) -> None:
    """P5: what can be stored comes back as it was."""
    for number in (2**63, -(10**300), 10**4000, 5e-324, -0.0, 0.1):
        assert writer.store(project, number).status_code == 200
        assert writer.read(project).json()["data"] == number
