"""Invalidating by tag, in every process and at a cost that does not grow with what is tagged."""

from __future__ import annotations

from django.core.cache import caches

from .engine import outages, tags
from .engine.flow import Flow, Io, adrive, drive
from .engine.near import near
from .engine.state import state_for
from .engine.transactions import after_commit
from .exceptions import CacheUnavailable


def invalidate_tags(*names: str) -> None:
    """Mark stale all that carries one of these tags, in every cache of ``CACHES``.

    Each value is refreshed when it is asked for next. Inside of a transaction this is done now
    and again after the commit.

    :raises TypeError: for a tag that is not text.
    """
    drive(_restamp(names, delete=False))


def delete_tags(*names: str) -> None:
    """As :func:`invalidate_tags`, but the values are gone at once."""
    drive(_restamp(names, delete=True))


async def ainvalidate_tags(*names: str) -> None:
    """See invalidate_tags()."""
    await adrive(_restamp(names, delete=False))


async def adelete_tags(*names: str) -> None:
    """See delete_tags()."""
    await adrive(_restamp(names, delete=True))


def _restamp(names: tuple[str, ...], *, delete: bool) -> Flow[None]:
    unique = tags.check(names)
    what = ("delete tags" if delete else "invalidate tags", unique)
    after_commit(what, lambda: drive(_restamp_everywhere(unique, delete)))
    return _restamp_everywhere(unique, delete)


def _restamp_everywhere(names: tuple[str, ...], delete: bool) -> Flow[None]:
    near.clear()
    for alias in caches:
        try:
            yield _restamp_in(alias, names, delete)
        except CacheUnavailable:
            continue
    near.clear()


def _restamp_in(alias: str, names: tuple[str, ...], delete: bool) -> Io:
    def restamp() -> None:
        outages.guarded(alias, lambda: tags.restamp(state_for(alias), names, delete=delete))

    return Io(restamp, state_for(alias).is_local)
