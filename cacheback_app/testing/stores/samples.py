"""Text that a store has to tell apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

LONG = 2000
"""Characters that a key may have at least."""

PAIRS = [
    ("a", "b"),
    ("a/b", "c"),
    ("a", "b/c"),
    ("a:b", "c"),
    ("a", "b:c"),
    ("1:a", "b"),
    ("1", ":ab"),
    ("11", "a"),
    ("1", "1a"),
    ("ab", "c"),
    ("a", "bc"),
    ("A", "b"),
    ("a", "B"),
    ("a ", "b"),
    ("a", "b "),
    (" a", "b"),
    ("a", "b\t"),
    ("a", "b\n"),
    ("a\0", "b"),
    ("a", "\0b"),
    ("\0", "\0"),
    (".", "."),
    ("..", ".."),
    ("../..", "etc/passwd"),
    ("/", "/etc/passwd"),
    ("a\\b", "c"),
    ("%", "_"),
    ("%2F", "a"),
    ("*", "?"),
    ("'", '"'),
    ("';--", "b"),
    ("é", "b"),
    ("e\u0301", "b"),
    ("É", "b"),
    ("ß", "b"),
    ("ss", "b"),
    ("\N{KELVIN SIGN}", "b"),
    ("K", "b"),
    ("\N{PILE OF POO}", "\N{FAMILY}\u200d"),
    ("\U0010ffff", "\uffff"),
    ("None", "True"),
    ("sha256:" + "0" * 64, "b"),
    ("k" * LONG, "s" * LONG),
    ("k" * LONG, "s" * (LONG - 1) + "t"),
    ("k" * LONG, "s" * (LONG - 1)),
    ("k" * (LONG + 1), "s" * (LONG - 1)),
    ("\N{PILE OF POO}" * LONG, "é" * LONG),
]
"""Keys that careless backends take for one another, or for something else than keys."""

VALUES = [
    "",
    " ",
    "0",
    "None",
    "null",
    "a",
    "A",
    "a ",
    "\0",
    "a\0b",
    "\r\n",
    "é",
    "e\u0301",
    "\N{PILE OF POO}",
    "\ufeff",
    '{"a": [1, null]}',
    "x" * 100_000,
]
"""Text that careless backends change, or take for another."""

ALIKE = [
    ("a", "A"),
    ("a", "a "),
    ("a ", "a"),
    ("a", "a\n"),
    ("a\0b", "a"),
    ("", "\0"),
    ("é", "e\u0301"),
    ("1", "1.0"),
    ("%", "a"),
    ("a", "%"),
]
"""A value, and what careless backends take for it."""

NOT_TEXT: list[Any] = [None, b"a", 1, 1.5, True, ["a"], {"a": 1}, object()]


class Colour(StrEnum):
    RED = "red"
