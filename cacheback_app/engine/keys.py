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
# As ``ascii`` writes other blanks; a backslash of the user's own is doubled.
_SPACE = r"\x20"


def make(prefix: str, values: tuple[Any, ...], names: Sequence[str]) -> str:
    """Return the key of a call: at most 200 printable ASCII characters without spaces.

    :param prefix: the path of what is called, with which the key begins.
    :param values: the bound arguments, in the form that ``signature.binder`` gives them.
    :param names: the parameters that they belong to, for the error message.
    :raises TypeError: for an argument that ``codec.dump`` refuses.
    """
    for value in values:
        if type(value) not in _SCALARS:
            break
    else:  # what most calls are made of, and every cached read comes by here
        key = _simple(prefix, values)
        if key is not None:
            return key
    texts = [_text(value, name) for value, name in zip(values, names, strict=True)]
    head = _head(prefix)
    key = f"{head}:{','.join(texts)}" if texts else head
    return key if len(key) <= _LONGEST_KEY else f"{head}:#{_digest(key)}"


def _simple(prefix: str, values: tuple[Any, ...]) -> str | None:
    """Return the key of a call whose arguments are scalars, None when it takes more care.

    One formatting operation writes all of them as :func:`_text` does one by one.
    """
    try:
        key = (_TEMPLATES[len(values)] % (_head(prefix), *values)).replace(" ", _SPACE)
    except (IndexError, ValueError):  # more arguments than that; an int of thousands of digits
        return None
    return key if len(key) <= _LONGEST_KEY else None


def remembered(make_key: Callable[..., str], skip: int) -> Callable[..., str]:
    """Return ``make_key`` with a memory of its last thousand results.

    It remembers calls with scalars only, and so never takes one argument for another that is
    equal to it: ``typed`` tells ``1`` from ``True``, but not ``(1,)`` from ``(True,)``.

    :param skip: how many first arguments may be anything hashable.
    :raises TypeError: for any other call.
    """

    @lru_cache(maxsize=1024, typed=True)
    def known(*args: Any, **kwargs: Any) -> str:
        if not _SCALARS.issuperset(map(type, (*args[skip:], *kwargs.values()))):
            raise TypeError("only calls with scalars are remembered")
        return make_key(*args, **kwargs)

    return known


def no_memory(*args: Any, **kwargs: Any) -> str:
    """Stand in for the memory of keys where a job makes them its own way."""
    raise TypeError


@lru_cache(maxsize=4096)
def versioned(path: str, version: int | str | None) -> str:
    """Return the beginning of the keys of what is at ``path``; other versions have others."""
    return path if version is None else make(f"{path}@", (version,), ("version",))


@lru_cache(maxsize=1024)
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
    try:
        return _render(codec.dump(value, name))
    except TypeError:
        if name.startswith("**"):
            for keyword, argument in value.items():
                codec.dump(argument, keyword)  # names the one that it refuses
        raise


def _render(encoded: codec.Json) -> str:
    if type(encoded) is list:
        return _listed(map(_render, encoded))
    if type(encoded) is dict:
        return f"{encoded['t']}({_parts(encoded['t'], encoded['v'])})"
    return ascii(encoded).replace(" ", _SPACE)


def _parts(tag: str, parts: codec.Json) -> str:
    """Return what identifies a tagged value: not the order of a set, nor a row's database."""
    if tag in codec.UNORDERED:
        return _listed(sorted(map(_render, parts)))
    return _render(parts[:2] if tag == codec.MODEL else parts)


def _listed(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


# What most arguments are, and all that the leaves of an encoded value are.
_SCALARS = frozenset({str, int, bool, type(None)})

_TEMPLATES = tuple(":".join(("%s", ",".join(["%a"] * n))) if n else "%s" for n in range(9))
