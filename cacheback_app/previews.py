"""Other people's values as text: the beginning of each, whatever it is, at once."""

from __future__ import annotations

from itertools import islice
from reprlib import Repr
from typing import Any

LONGEST_PREVIEW = 8_000
"""Characters of a value that are shown at most."""


class _Short(Repr):
    """Takes no longer for a large value than for a small one, and survives what is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 5
        self.maxstring = self.maxother = 2_000
        self.maxlong = 200
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 30

    def repr1(self, x: Any, level: int) -> str:
        try:
            return super().repr1(x, level)
        except Exception as exc:
            return f"<{type(x).__name__}: its repr raises {type(exc).__name__}>"

    # The inherited ones look at all of a value before they cut it short.

    def repr_bytes(self, x: bytes, level: int) -> str:
        return self.repr_instance(x[: self.maxother], level)

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > 4_000:  # Python itself refuses to write out the longest
            return f"<an int of {x.bit_length():,} bits>"
        return super().repr_int(x, level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return super().repr_dict(dict(islice(x.items(), self.maxdict + 1)), level)

    def repr_set(self, x: set[Any], level: int) -> str:
        return super().repr_set(set(islice(x, self.maxset + 1)), level)

    def repr_frozenset(self, x: frozenset[Any], level: int) -> str:
        return super().repr_frozenset(frozenset(islice(x, self.maxfrozenset + 1)), level)


_short = _Short()


def printable(text: str) -> str:
    """Return ``text`` with what can't be encoded (lone surrogates) written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def preview(value: Any, longest: int = LONGEST_PREVIEW) -> str:
    """Return the first ``longest`` characters of what ``repr`` gives for ``value``, whatever it
    raises."""
    text = printable(_short.repr(value))
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
