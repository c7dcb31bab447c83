"""Coverage-guided fuzzing with atheris, where it installs: ``python -m proof.fuzz TARGET ARGS``.

``ARGS`` are libFuzzer's, as in ``-max_total_time=60``. The targets read bytes that an attacker or
an accident left in a cache or a broker. Whatever they are, the answer is a miss or a refusal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

TAGS = [
    *("int", "str", "float", "complex", "bytes", "bytearray", "range", "tuple", "set", "frozenset"),
    *("dict", "datetime", "date", "time", "timedelta", "timezone", "ZoneInfo", "UUID", "Decimal"),
    *("PurePosixPath", "PosixPath", "enum", "dataclass", "model", "no such tag"),
]
TEXTS = ["", "a", "1", "nan", "1e999", "0x1", "2026-01-31", "25:00", "Europe/Berlin", "../../etc"]
TEXTS += ["os:system", "builtins:eval", "auth.user", "cacheback/1", "r:token:1.0", "\ud800", "\0"]


def shaped(data: bytes) -> Any:
    """Return JSON that looks like what we write, made from ``data``: bytes that are JSON by chance
    would hardly ever come this far."""
    return _shape(iter(data), 0)


def _shape(data: Iterator[int], depth: int) -> Any:
    kind, more = next(data, 0) % 9, next(data, 0)
    if kind >= 6 and depth > 5:
        return None
    match kind:
        case 0:
            return None
        case 1:
            return more > 127
        case 2:
            return (more - 128) ** 9
        case 3:
            return [0.0, -1.5, 1e300, float("inf"), float("nan")][more % 5]
        case 4:
            return TEXTS[more % len(TEXTS)]
        case 5:
            return bytes(byte for byte, _ in zip(data, range(more % 20), strict=False)).decode(
                "latin-1"
            )
        case 6:
            return [_shape(data, depth + 1) for _ in range(more % 8)]
        case 7:
            return {TEXTS[more % len(TEXTS)]: _shape(data, depth + 1)}
        case _:
            return {"t": TAGS[more % len(TAGS)], "v": _shape(data, depth + 1)}


def decode(data: bytes) -> bool:
    """Arguments from a broker: a value, whose key stays as it is, or ``MalformedCall``; never
    another error."""
    from cacheback_app.engine import codec
    from cacheback_app.engine.keys import make
    from cacheback_app.exceptions import MalformedCall

    try:
        value = codec.load(shaped(data))
    except MalformedCall:
        return False
    arrived = codec.load(codec.dump(value))
    assert make("shop.Report", (arrived,), ["it"]) == make("shop.Report", (value,), ["it"])
    return True


def message(data: bytes) -> bool:
    """A whole message from a broker: nobody can guess its signature."""
    from cacheback_app.exceptions import MalformedCall
    from cacheback_app.queues import RefreshCall

    names = ("job", "key", "claim", "payload", "seen", "sent_at", "signature")
    parts = iter(data.split(b"|"))
    try:
        RefreshCall.from_message({name: shaped(next(parts, b"")) for name in names})
    except MalformedCall:
        return False
    raise AssertionError("a message that nobody signed was accepted")


def entry(data: bytes) -> bool:
    """What lies in a cache under one of our keys: an entry, or a miss."""
    from cacheback_app.engine.entry import MARK, is_plainly_fresh, unpack
    from cacheback_app.engine.policy import Verdict, judge

    parts = [shaped(part) for part in data.split(b"|")]
    are_entries = []
    for found in (parts, tuple(parts), [MARK, *parts], (MARK, *parts), parts[0], data):
        known = unpack(found)
        verdict = judge(known, 0.0, ttl=10.0)
        assert known is not None or verdict is Verdict.GONE, "what is no entry would be served"
        if known is not None and is_plainly_fresh(found, 0.0):
            assert verdict is Verdict.FRESH, "the short way serves what the long one would not"
        are_entries.append(known is not None)
    return any(are_entries)


def claim(data: bytes) -> bool:
    """The text of a claim: a claim that is written as it was read, or none."""
    from cacheback_app.engine.claims import Claim

    found = Claim.parse(data.decode(errors="replace"))
    if found is not None:
        assert Claim.parse(str(found)) is not None or found.until != found.until
    return found is not None


# Each returns whether the bytes were taken for one of ours.
TARGETS = {target.__name__: target for target in (decode, message, entry, claim)}


def main() -> None:
    """Fuzz one target until libFuzzer's limits."""
    import atheris
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proof.settings")
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["cacheback_app"]):
        django.setup()
        import cacheback_app.queues
        import cacheback_app.tasks  # noqa: F401

    def once(data: bytes) -> None:  # atheris takes no other answer
        TARGETS[name](data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
