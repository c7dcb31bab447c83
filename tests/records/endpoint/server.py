"""A remote API in a process of its own: ``python -m tests.records.endpoint.server PORT``.

``/v9/trackers`` is a collection with pages, ETags and Last-Modified. What begins with ``/_`` is for
the tests: they see each request that came, and say in advance what a path will answer.
"""

import hashlib
import json
import sys
import threading
import time
from collections import defaultdict, deque
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COLLECTION = "/v9/trackers"


class State:
    """What the API knows."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: dict[int, dict[str, Any]] = {
            id: {"id": id, "name": name} for id, name in enumerate(["a", "b", "c"], 1)
        }
        self.changed_at = time.time() - 3600
        self.log: list[dict[str, Any]] = []
        self.scripts: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self.gates: dict[str, threading.Event] = defaultdict(threading.Event)


class Server(ThreadingHTTPServer):
    """The API's server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.state = State()


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 30
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length).decode()
        self.parts = urlsplit(self.path)
        if self.parts.path.startswith("/_"):
            self.control()
            return
        state = self.server.state
        with state.lock:
            state.log.append(
                {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": self.body,
                }
            )
            script = state.scripts[self.parts.path]
            scripted = script.popleft() if script else {}
        if "gate" in scripted:
            state.gates[scripted["gate"]].wait(30)
        if "status" in scripted or "body" in scripted:
            self.answer_as_told(scripted)
        else:
            with state.lock:
                self.answer_from_the_collection()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def control(self) -> None:
        """Do what the tests ask for."""
        state, path = self.server.state, self.parts.path
        with state.lock:
            if path == "/_log":
                self.answer(200, state.log)
                return
            if path == "/_script":
                told = json.loads(self.body)
                state.scripts[told["path"]].extend(told["answers"])
            elif path == "/_open":
                state.gates[self.body].set()
            elif path == "/_reset":
                self.server.state = State()
            elif path == "/_records":
                state.records = {one["id"]: one for one in json.loads(self.body)}
                state.changed_at = time.time()
        self.answer(204)

    def answer_as_told(self, scripted: dict[str, Any]) -> None:
        """Answer what a test has prepared, ``short`` bytes less than announced."""
        body = scripted.get("body", "")
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(scripted.get("status", 200))
        for name, value in scripted.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + scripted.get("short", 0)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = "short" in scripted

    def answer_from_the_collection(self) -> None:
        """Read or change the records."""
        path, records = self.parts.path, self.server.state.records
        if path == COLLECTION:
            if self.command == "GET":
                self.answer_conditionally(self.page())
            elif self.command == "POST":
                self.store({**json.loads(self.body), "id": max(records, default=0) + 1}, 201)
            else:
                self.answer(405)
            return
        name = unquote(path.removeprefix(f"{COLLECTION}/"))
        known = records.get(int(name)) if name.isdigit() else None
        if known is None:
            self.answer(404, {"detail": "There is none."})
        elif self.command == "GET":
            self.answer_conditionally(known)
        elif self.command == "DELETE":
            del records[known["id"]]
            self.server.state.changed_at = time.time()
            self.answer(204)
        else:
            before = known if self.command == "PATCH" else {}
            self.store({**before, **json.loads(self.body), "id": known["id"]}, 200)

    def page(self) -> list[dict[str, Any]]:
        """Return the records that the query string asks for."""
        asked = parse_qs(self.parts.query)
        found = [one for _, one in sorted(self.server.state.records.items())]
        if "name" in asked:
            found = [one for one in found if one["name"] in asked["name"]]
        if "page" in asked:
            first = 2 * (int(asked["page"][0]) - 1)
            found = found[first : first + 2]
        return found

    def store(self, record: dict[str, Any], status: int) -> None:
        """Keep a record and answer it."""
        self.server.state.records[record["id"]] = record
        self.server.state.changed_at = time.time()
        self.answer(status, record)

    def answer_conditionally(self, data: Any) -> None:
        """Answer 304 when the client knows the data."""
        etag = f'"{hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]}"'
        modified = formatdate(self.server.state.changed_at, usegmt=True)
        headers = {"ETag": etag, "Last-Modified": modified}
        known = self.headers.get("If-None-Match")
        if known == etag or (known is None and self.headers.get("If-Modified-Since") == modified):
            self.answer(304, headers=headers)
        else:
            self.answer(200, data, headers)

    def answer(self, status: int, data: Any = None, headers: dict[str, str] | None = None) -> None:
        """Answer JSON, or nothing."""
        content = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if data is not None:
            self.send_header("Content-Type", "application/json")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tests ask for the log."""


if __name__ == "__main__":
    Server(int(sys.argv[1])).serve_forever()
