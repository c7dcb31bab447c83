"""A JSON cache's records and answers as one JSON document, with one record a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from .answers import KeptAnswer, Key

VERSION = "1"

_START, _BETWEEN, _END = b'{"head": ', b',\n"records": [\n', b"\n]}\n"


class Broken(ValueError):
    """A file that is cut off, or no snapshot of this version."""


@dataclass
class Snapshot:
    """All that a cache holds.

    :ivar rows: each record's key, the Unix time at which it was saved, and its text.
    :ivar fingerprint: what the model was like.
    :ivar generation: what the journal calls it that continues it; empty before there is a file.
    """

    rows: list[tuple[Key, float, bytes]] = field(default_factory=list)
    answers: list[KeptAnswer] = field(default_factory=list)
    fingerprint: str = ""
    generation: str = ""

    def dump(self, generation: str) -> bytes:
        """Return the document, under another generation."""
        body = b",\n".join(row[2] for row in self.rows)
        head = {
            "version": VERSION,
            "generation": generation,
            "fingerprint": self.fingerprint,
            "checksum": crc32(body),
            "answers": [answer.dump() for answer in self.answers],
            "keys": [row[0] for row in self.rows],
            "saved": [row[1] for row in self.rows],
        }
        return b"".join([_START, json.dumps(head).encode(), _BETWEEN, body, _END])

    @classmethod
    def load(cls, content: bytes) -> Snapshot:
        """Return what :meth:`dump` was called on.

        :raises Broken: for anything else.
        """
        start, between, rest = content.partition(_BETWEEN)
        if not (between and start.startswith(_START) and rest.endswith(_END)):
            raise Broken
        body = rest[: -len(_END)]
        try:
            head = json.loads(start[len(_START) :])
            if head["version"] != VERSION or head["checksum"] != crc32(body):
                raise Broken
            return cls(
                _rows(head, body),
                list(map(KeptAnswer.load, head["answers"])),
                head["fingerprint"],
                head["generation"],
            )
        except (ValueError, LookupError, TypeError) as exc:
            raise Broken from exc


def _rows(head: dict[str, Any], body: bytes) -> list[tuple[Key, float, bytes]]:
    texts = body.split(b",\n") if body else []
    return list(zip(head["keys"], head["saved"], texts, strict=True))
