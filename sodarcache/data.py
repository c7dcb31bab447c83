"""What an item can hold: JSON, as far as every database takes it."""

from __future__ import annotations

import math
from typing import Any

_MAX_DEPTH = {"mysql": 31}
"""Containers inside of each other, by kind of database; MariaDB takes no more."""

_OTHER_DEPTH = 200
"""Deeper than data gets; Python's own limit for JSON is some five times that."""

_MAX_BITS = 14_000
"""Python reads no integer back that has more than 4,300 digits."""


class _Flaw(Exception):
    """Something that can't be stored. Its path grows from the inside out."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.path = ""


def check_data(data: Any, vendor: str) -> None:
    """
    :param vendor: of the database, as in ``connection.vendor``.
    :raises ValueError: for a value that JSON or a database cannot hold, naming its place, as in
        ``data.rows[3].name``.
    """
    try:
        _check(data, _MAX_DEPTH.get(vendor, _OTHER_DEPTH))
    except _Flaw as flaw:
        raise ValueError(f"data{flaw.path} {flaw.what}, which cannot be stored") from None


def check_text(text: Any, what: str, *, at_most: int | None = None) -> None:
    """
    :raises ValueError: for a name that is empty, too long, or that a database cannot hold.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"{what} must be a text that is not empty, not {text!r}")
    if flaw := _text_flaw(text):
        raise ValueError(f"{what} {flaw}")
    if at_most is not None and len(text) > at_most:
        raise ValueError(f"{what} is longer than {at_most} characters")


def _check(value: Any, left: int) -> None:
    if isinstance(value, str):
        if what := _text_flaw(value):
            raise _Flaw(what)
    elif value is None or value is True or value is False:
        return
    elif isinstance(value, (dict, list, tuple)):
        if not left:
            raise _Flaw("is nested too deep")
        if isinstance(value, dict):
            _check_dict(value, left - 1)
        else:
            _check_list(value, left - 1)
    elif isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise _Flaw("is an integer of more than 4,000 digits")
    elif not isinstance(value, float):
        raise _Flaw(f"is a {type(value).__qualname__}")
    elif not math.isfinite(value):
        raise _Flaw(f"is {value}")


def _check_dict(value: dict[Any, Any], left: int) -> None:
    for key, inner in value.items():
        if not isinstance(key, str):
            raise _Flaw(f"has a key that is no text ({key!r})")
        if what := _text_flaw(key):
            raise _Flaw(f"has a key that {what}")
        try:
            _check(inner, left)
        except _Flaw as flaw:
            flaw.path = f"{_step(key)}{flaw.path}"
            raise


def _check_list(value: list[Any] | tuple[Any, ...], left: int) -> None:
    for place, inner in enumerate(value):
        if type(inner) is str and inner.isascii() and "\0" not in inner:
            continue  # as most is, and looked at here it takes a third of the time
        try:
            _check(inner, left)
        except _Flaw as flaw:
            flaw.path = f"[{place}]{flaw.path}"
            raise


def _step(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def _text_flaw(text: str) -> str | None:
    if "\0" in text:
        return "contains NUL"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None
