"""Tags: one small key per tag, whose stamp every entry remembers from when its fetch began.

Invalidating a tag changes its stamp, and so costs the same however many entries carry it. A
stamp is ``"<invalidation>.<deletion>"``; the second part is "0" until the tag is deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from . import claims
from .state import Op, Outcome, State, ensure, look, replace

TTL = 60 * 60 * 24 * 60
"""Seconds that a tag outlives the last fetch that used it, if no entry lives longer. A tag that is
gone makes its entries stale, so this is not a matter of correctness."""

_READABLE = 100


def tag_key(tag: str) -> str:
    """Return where the stamp of ``tag`` is kept: short printable ASCII whatever the tag is."""
    if len(tag) <= _READABLE and tag.isascii() and tag.isprintable() and " " not in tag:
        return f"cacheback.tag:{tag}"
    digest = hashlib.blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=20)
    return f"cacheback.tag#{digest.hexdigest()}"


def check(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags without repeats.

    :raises TypeError: for a tag that is not text, or for text in the place of a list of tags.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags are a list of text, not the text {tags!r}")
    every = tuple(tags)
    for tag in every:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is text, not {type(tag).__name__}")
    return tuple(dict.fromkeys(every))


def ensured(tags: Iterable[str], ttl: float | None) -> list[Op]:
    """Return operations that give each tag a stamp if it has none, and read it."""
    life = None if ttl is None else max(ttl, TTL)
    return [ensure(tag_key(tag), f"{claims.new_token()}.0", life) for tag in tags]


def stamps(tags: Iterable[str], value: Callable[[str], object]) -> dict[str, str]:
    """Return the stamp of each tag; ``value(key)`` tells what was read."""
    return {tag: str(value(tag_key(tag))) for tag in tags}


def stamps_now(tags: Iterable[str], found: Mapping[str, object]) -> dict[str, str | None]:
    """Return the stamp of each tag, None for those that are gone."""
    now: dict[str, str | None] = {}
    for tag in tags:
        stamp = found.get(tag_key(tag))
        now[tag] = stamp if isinstance(stamp, str) else None
    return now


def restamp(state: State, tags: Iterable[str], *, delete: bool) -> None:
    """Give each tag a new stamp: what was fetched before is stale, or with ``delete`` gone.

    A tag without a stamp has no entries that could prove to be fresh, so it needs none now.
    """
    pending = [tag_key(tag) for tag in tags]
    while pending:
        before = state.apply([look(key) for key in pending])
        changes = [_changed(key, before, delete) for key in pending if before.value(key)]
        outcomes = state.apply_many([[change] for change in changes])
        pairs = zip(changes, outcomes, strict=True)
        pending = [change.key for change, outcome in pairs if not outcome.applied]


def _changed(key: str, before: Outcome, delete: bool) -> Op:
    new = claims.new_token()
    deletion = new if delete else str(before.value(key)).partition(".")[2]
    return replace(key, f"{new}.{deletion}", TTL, expect=before.raw(key))
