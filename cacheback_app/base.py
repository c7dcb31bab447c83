"""Cached reads: subclass :class:`Job`, write ``fetch``, call ``get``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import getattr_static
from typing import Any

from . import signals
from .conf import conf
from .engine import bulk, changing, explaining, keys, reading, registry
from .engine.backing import Backing
from .engine.entry import Entry, is_plainly_fresh
from .engine.explaining import Explanation
from .engine.flow import Fetch, Flow, adrive, drive
from .engine.near import near
from .engine.reading import Answer
from .engine.signature import binder, parameters
from .engine.slot import Call, Slot, as_call
from .engine.state import state_for
from .engine.status import HIT, MISS
from .engine.tallies import Tally, tallies
from .identity import Identity

__all__ = ["Call", "Job"]

logger = logging.getLogger("cacheback")


class Job(Identity):
    """A cached read: a value is fetched once, served at once, and renewed in the background."""

    _tally: Tally
    _known_key: Callable[..., str]
    _gone_errors: tuple[type[Exception], ...] = ()
    """What ``fetch`` raises to say that there is nothing: an answer, and no failure."""
    _known_as: Any = None
    """What tells this job's keys from those of others that share ``_known_key``."""
    _backing: Backing | None = None
    """Where values are kept besides the cache; see ``engine.backing``."""
    _prepares = False
    _deserializes = False

    _has_no_value = False
    """Whether a refresh is for what its fetch does: it may wait in the queue for long, and is made
    even if the cache has lost its claim, as no reader would ask for it again."""

    _has_tags = False
    """Whether calls of this job can carry tags."""
    _fetches_many = False
    """Whether several calls are fetched in one."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._look_at_itself()
        registry.register(registry.path_of(cls), cls)

    @classmethod
    def _look_at_itself(cls) -> None:
        has_self = not isinstance(getattr_static(cls, "fetch"), (staticmethod, classmethod))
        cls._fetch_bind = staticmethod(binder(cls.fetch, skip_first=has_self))
        cls._fetch_names = parameters(cls.fetch, skip_first=has_self)
        cls._prepares = _overrides(cls, "prepare_args", "prepare_kwargs")
        cls._has_identity = _overrides(cls, "_identity", "get_init_args", "get_init_kwargs")
        cls._job_path = registry.dotted(cls)
        cls._tally = cls._own_tally()
        is_simple = not (cls._has_identity or _overrides(cls, "key", "_key_prefix"))
        cls._known_key = staticmethod(cls._remembered_key() if is_simple else keys.no_memory)
        cls._deserializes = _overrides(cls, "_from_cache")
        cls._has_tags = _overrides(cls, "tags")
        cls._fetches_many = _overrides(cls, "fetch_many")

    # To call

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value, fetched at most once for everybody who asks.

        A fresh value costs one read of the cache; a stale one is served while one refresh runs in
        the background; a missing one is fetched by one caller while the others wait for it.

        :raises Exception: whatever ``fetch`` raises, when there is nothing to serve.
        """
        if self._prepares or not conf.enabled:
            return self._get_otherwise(args, kwargs)
        # A hit is all that most calls do, and is written out here; the rest is a flow.
        try:
            key = self._known_key(self.version, self._known_as, *args, **kwargs)
        except TypeError:  # not that simple, or wrong, which key() will say
            key = self.key(*args, **kwargs)
        if self.local_ttl or self._has_tags or self.early_refresh is not None:
            return self._get_carefully(key, args, kwargs)
        failure, value = None, _NONE
        try:
            packed = state_for(self.cache_alias or conf.cache_alias).cache.get(key)
            if is_plainly_fresh(packed, time.time()):
                value = packed[2]
        except Exception as exc:
            packed, failure = None, exc  # answered below, so that it is no context of fetch's own
        if self._deserializes and value is not _NONE:
            value = self._unpacked(value)
        if value is _NONE:
            flow = reading.answer_found(Slot(self, key, args, kwargs), {key: packed}, failure)
            return self._finish(*drive(flow), args, kwargs)
        if type(self).process_result is _plain and not signals.cache_read.receivers:
            next(self._tally.live or self._tally.wake(args))
            return value
        return self._finish(value, HIT, None, args, kwargs, (key, packed[3]))

    async def aget(self, *args: Any, **kwargs: Any) -> Any:
        """See get()."""
        if not conf.enabled:
            value = await Fetch(*self._bound(args, kwargs)).arun()
            return self._finish(value, MISS, True, args, kwargs)
        slot = self._slot_for(args, kwargs)
        if self.local_ttl and (kept := near.get(slot.flight_key)) and kept[0] > time.time():
            return self._finish(kept[1], HIT, None, args, kwargs, (slot.key, None))
        return self._finish(*(await adrive(reading.get(slot))), args, kwargs)

    def get_many(self, calls: Iterable[Any]) -> list[Any]:
        """Return the values of several calls, in order.

        :param calls: each a tuple of positional arguments, a :class:`Call`, or a single argument
            that is neither.
        """
        wanted = [as_call(call) for call in calls]
        if not conf.enabled:
            return [self.get(*call.args, **call.kwargs) for call in wanted]
        if self._prepares or self._has_tags or self.local_ttl or self.early_refresh is not None:
            slots = [self._slot_for(*call) for call in wanted]
            return self._finish_many(drive(bulk.get_many(slots)), wanted)
        return self._get_many_plainly(wanted)

    async def aget_many(self, calls: Iterable[Any]) -> list[Any]:
        """See get_many()."""
        wanted = [as_call(call) for call in calls]
        if not conf.enabled:
            return [await self.aget(*call.args, **call.kwargs) for call in wanted]
        answers = await adrive(bulk.get_many([self._slot_for(*call) for call in wanted]))
        return self._finish_many(answers, wanted)

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Store a value by hand: the keyword ``data`` (see ``set_data_kwarg``), or the last
        positional argument.

        :raises RuntimeError: when the write is verified and was lost.
        """
        drive(self._set(args, kwargs))

    async def aset(self, *args: Any, **kwargs: Any) -> None:
        """See set()."""
        await adrive(self._set(args, kwargs))

    def invalidate(self, *args: Any, **kwargs: Any) -> None:
        """Mark the value stale and refresh it in the background; no-op when nothing is cached.

        Inside of a transaction it is marked now and again after the commit, and refreshed then.
        """
        drive(changing.invalidate(self._slot_for(args, kwargs)))

    async def ainvalidate(self, *args: Any, **kwargs: Any) -> None:
        """See invalidate()."""
        await adrive(changing.invalidate(self._slot_for(args, kwargs)))

    def delete(self, *args: Any, **kwargs: Any) -> None:
        """Remove the value; inside of a transaction now and again after the commit."""
        drive(changing.delete(self._slot_for(args, kwargs)))

    async def adelete(self, *args: Any, **kwargs: Any) -> None:
        """See delete()."""
        await adrive(changing.delete(self._slot_for(args, kwargs)))

    def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """Fetch now, store, and return the value.

        :raises Exception: whatever ``fetch`` raises.
        """
        return drive(changing.refresh(self._slot_for(args, kwargs))).value

    async def arefresh(self, *args: Any, **kwargs: Any) -> Any:
        """See refresh()."""
        return (await adrive(changing.refresh(self._slot_for(args, kwargs)))).value

    def async_refresh(self, *args: Any, **kwargs: Any) -> None:
        """Dispatch a refresh, unless one is under way."""
        drive(changing.refresh_later(self._slot_for(args, kwargs)))

    def raw_get(self, *args: Any, **kwargs: Any) -> tuple[float, Any] | None:
        """Return ``(expiry, value)`` as cached, or None; never triggers anything."""
        return _raw(drive(explaining.raw_get(self._slot_for(args, kwargs))))

    async def araw_get(self, *args: Any, **kwargs: Any) -> tuple[float, Any] | None:
        """See raw_get()."""
        return _raw(await adrive(explaining.raw_get(self._slot_for(args, kwargs))))

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Return all that is known of a call; never triggers anything."""
        return drive(explaining.explain(self._slot_for(args, kwargs)))

    async def aexplain(self, *args: Any, **kwargs: Any) -> Explanation:
        """See explain()."""
        return await adrive(explaining.explain(self._slot_for(args, kwargs)))

    # For the engine

    @classmethod
    def _own_tally(cls) -> Tally:
        """Return where hits of this job are counted."""
        return tallies.of(cls._job_path)

    @classmethod
    def _remembered_key(cls) -> Callable[..., str]:
        def make_key(version: Any, _: Hashable, *args: Any, **kwargs: Any) -> str:
            prefix = keys.versioned(cls._job_path, version)
            return keys.make(prefix, cls._fetch_bind(*args, **kwargs), cls._fetch_names)

        return keys.remembered(make_key, skip=2)

    @property
    def _alias(self) -> str:
        """The alias in ``CACHES`` that this job uses."""
        return self.cache_alias or conf.cache_alias

    @property
    def _dispatch_delay(self) -> float:
        """Seconds by which the queue is told to wait, in which a claim must not lapse."""
        countdown = (self.task_options or {}).get("countdown")
        return float(countdown) if isinstance(countdown, (int, float)) else 0.0

    def _to_cache(self, value: Any) -> Any:
        """Return what is stored for ``value``."""
        return value

    def _from_cache(self, stored: Any) -> Any:
        """Return the value that was stored. An error makes it a miss."""
        return stored

    def _slot_for(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Slot:
        """Return where a call is cached.

        :raises TypeError: for arguments that ``fetch`` would not take, or that have no key.
        """
        prepared, named = self._prepare(args, kwargs)
        return Slot(self, self.key(*prepared, **named), prepared, named)

    def _bound_fetch(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the user's function and the arguments to call it with."""
        return self.fetch, args, kwargs

    def _readable(self, entry: Entry | None) -> Entry | None:
        """Return the entry with its value as callers want it; None when that cannot be had."""
        if entry is None or not self._deserializes:
            return entry
        try:
            return replace(entry, value=self._from_cache(entry.value))
        except Exception as exc:
            logger.debug(
                "What is cached for %s cannot be used", registry.dotted(type(self)), exc_info=exc
            )
            return None

    def _prepare(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(self.prepare_args(*args)), dict(self.prepare_kwargs(**kwargs))

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._bound_fetch(*self._prepare(args, kwargs))

    def _key_of(self, call: Call) -> str:
        try:
            return self._known_key(self.version, self._known_as, *call.args, **call.kwargs)
        except TypeError:
            return self.key(*call.args, **call.kwargs)

    def _get_many_plainly(self, calls: Sequence[Call]) -> list[Any]:
        # As get() does for one: only what is not a plain hit becomes a slot and takes a flow.
        known = [self._key_of(call) for call in calls]
        found = bulk.read(self._alias, list(dict.fromkeys(known)))
        now = time.time()
        values: list[Any] = []
        rest: list[int] = []
        for place, (key, call) in enumerate(zip(known, calls, strict=True)):
            packed: Any = found.get(key) if found else None
            value = _NONE
            if is_plainly_fresh(packed, now):
                value = self._unpacked(packed[2]) if self._deserializes else packed[2]
            if value is _NONE:
                rest.append(place)
            else:
                value = self._finish(value, HIT, None, *call, (key, packed[3]))
            values.append(value)
        slots = [Slot(self, known[place], *calls[place]) for place in rest]
        answers = drive(bulk.get_many(slots, found)) if slots else []
        for place, value in zip(
            rest, self._finish_many(answers, [calls[place] for place in rest]), strict=True
        ):
            values[place] = value
        return values

    def _unpacked(self, stored: Any) -> Any:
        try:
            return self._from_cache(stored)
        except Exception:
            return _NONE  # the flow that follows will find and report it

    def _get_carefully(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.local_ttl:
            kept = near.get((self.cache_alias or conf.cache_alias, key))
            if kept and kept[0] > time.time():
                if type(self).process_result is _plain and not signals.cache_read.receivers:
                    next(self._tally.live or self._tally.wake(args))
                    return kept[1]
                return self._finish(kept[1], HIT, None, args, kwargs, (key, None))
        return self._finish(*drive(reading.get(Slot(self, key, args, kwargs))), args, kwargs)

    def _get_otherwise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not conf.enabled:
            return self._finish(Fetch(*self._bound(args, kwargs)).run(), MISS, True, args, kwargs)
        return self._finish(*drive(reading.get(self._slot_for(args, kwargs))), args, kwargs)

    def _finish(
        self,
        value: Any,
        cache_status: int,
        sync_fetch: bool | None,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        hit: tuple[str, float | None] | None = None,
    ) -> Any:
        """Return what ``get`` shall return.

        :param hit: the key, and when its value was fetched, where no flow has counted the read.
        """
        if hit is not None:
            next(self._tally.live or self._tally.wake(args))
            if signals.cache_read.receivers:
                reading.signal_read(Slot(self, hit[0], args, kwargs), cache_status, hit[1])
        if type(self).process_result is _plain:
            return value
        call = Call(args, kwargs)
        return self.process_result(
            value, call=call, cache_status=cache_status, sync_fetch=sync_fetch
        )

    def _finish_many(self, answers: Iterable[Answer], calls: Iterable[Call]) -> list[Any]:
        pairs = zip(answers, calls, strict=True)
        return [self._finish(*answer, call.args, call.kwargs) for answer, call in pairs]

    def _set(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[None]:
        if self.set_data_kwarg in kwargs:
            data = kwargs.pop(self.set_data_kwarg)
            return changing.set_value(self._slot_for(args, kwargs), data)
        if not args:
            raise TypeError(f"set() needs a value: last, or as {self.set_data_kwarg}=")
        *args_left, data = args
        try:
            slot = self._slot_for(tuple(args_left), kwargs)
        except TypeError as exc:
            raise TypeError(
                f"set() has no {self.set_data_kwarg}=, so its last argument was taken for the"
                f" value; without that one: {exc}"
            ) from exc
        return changing.set_value(slot, data)


def _raw(entry: Entry | None) -> tuple[float, Any] | None:
    return None if entry is None else (entry.expiry, entry.value)


def _overrides(cls: type[Job], *names: str) -> bool:
    return any(getattr(cls, name) is not getattr(Job, name) for name in names)


Job._look_at_itself()
_plain = Job.process_result
_NONE: Any = object()
