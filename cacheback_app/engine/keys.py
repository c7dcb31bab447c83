"""Cache keys: readable while short, and never the same for different arguments.

``shop.Report:'alice',2026`` is the path of what is called and what was passed, written like
Python. Where that would be too long, a digest of it follows the path: ``shop.Report:#5f1d...``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from . import codec

# Memcached takes 250 characters; Django's own prefix and version have to fit in, too.
_LONGEST_KEY = 200
# Leaves room for ":#" and a digest.
_LONGEST_PREFIX = 140
_UNSAFE = re.compile("[^!-~]")


def make(prefix: str, values: tuple[Any, ...], names: Sequence[str]) -> str:
    """Return the key of a call: at most 200 printable ASCII characters without spaces.

    :param prefix: the path of what is called, with which the key begins.
    :param values: the bound arguments, in the form that ``signature.binder`` gives them.
    :param names: the parameters that they belong to, for the error message.
    :raises TypeError: for an argument that ``codec.dump`` refuses.
    """
    key, separator = _head(prefix), ":"
    # Every cached read comes by here: a plain loop takes half the time of a join over a zip.
    for position, value in enumerate(values):
        scalar = _SCALARS.get(type(value))
        key += separator + (scalar(value) if scalar else _text(value, names[position]))
        separator = ","
    return key if len(key) <= _LONGEST_KEY else f"{_head(prefix)}:#{_digest(key)}"


@lru_cache(maxsize=1024)
@lru_cache(maxsize=4096)
def versioned(path: str, version: int | str | None) -> str:
    """Return the beginning of the keys of what is at ``path``; other versions have others."""
    return path if version is None else make(f"{path}@", (version,), ("version",))


def _head(prefix: str) -> str:
    """Return ``prefix``, or what is safe of its beginning and a digest of the whole."""
    if len(prefix) <= _LONGEST_PREFIX and not _UNSAFE.search(prefix):
        return prefix
    digest = _digest(prefix)
    return f"{_UNSAFE.sub('?', prefix)[: _LONGEST_PREFIX - len(digest) - 1]}~{digest}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _text(value: Any, name: str) -> str:
    """Return ``value`` as text without spaces that no other value has."""
    return _render(codec.dump(value, name))


def _render(encoded: codec.Json) -> str:
    if type(encoded) is list:
        return _listed(map(_render, encoded))
    if type(encoded) is dict:
        return f"{encoded['t']}({_parts(encoded['t'], encoded['v'])})"
    return _SCALARS[type(encoded)](encoded)


def _parts(tag: str, parts: codec.Json) -> str:
    """Return what identifies a tagged value: not the order of a set, nor a row's database."""
    if tag in codec.UNORDERED:
        return _listed(sorted(map(_render, parts)))
    return _render(parts[:2] if tag == codec.MODEL else parts)


def _listed(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _quoted(text: str) -> str:
    return ascii(text).replace(" ", r"\x20")


def _number(number: int) -> str:
    # Python refuses to write numbers of thousands of digits in decimal.
    return repr(number) if -codec.LARGEST_INT <= number <= codec.LARGEST_INT else hex(number)


# What most arguments are, and all that the leaves of an encoded value are.
_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: _number,
    bool: repr,
    type(None): repr,
}
