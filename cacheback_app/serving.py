"""A value and how fresh it is, for whoever passes it on: what HTTP caches are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .base import Job
from .conf import conf
from .decorators import BoundCachedFunction, CachedFunction
from .engine import serving
from .engine.flow import adrive, drive
from .engine.reading import Answer
from .engine.serving import Freshness, Served
from .engine.slot import Slot

__all__ = ["Freshness", "Readable", "Served", "aserve", "job_of", "serve"]

Readable: TypeAlias = "Job | type[Job] | CachedFunction[..., Any] | BoundCachedFunction"
"""What can be asked for a value: a job, a job class without arguments, or a decorated function."""


def job_of(readable: Readable) -> tuple[Job, tuple[Any, ...]]:
    """Return the job behind ``readable``, and the arguments that its calls begin with.

    :raises TypeError: for anything else.
    """
    match readable:
        case Job():
            return readable, ()
        case CachedFunction():
            return readable.job, (readable,)
        case BoundCachedFunction():
            function = readable.__wrapped__
            return function.job, (function, readable.__self__)
        case type() if issubclass(readable, Job):
            return readable(), ()
    raise TypeError(f"{readable!r} is neither a job nor decorated by @cacheback")


def serve(readable: Readable, /, *args: Any, **kwargs: Any) -> Served:
    """Return what ``get`` would, with its freshness. ``local_ttl`` has no part in it.

    :raises Exception: whatever ``fetch`` raises, when there is nothing to serve.
    """
    job, first = job_of(readable)
    args = (*first, *args)
    slot = job._slot_for(args, kwargs)
    if not conf.enabled:
        return Served(job.get(*args, **kwargs), slot.key, job.version, job.MISS, None)
    return _served(slot, drive(serving.serve(slot)), args, kwargs)


async def aserve(readable: Readable, /, *args: Any, **kwargs: Any) -> Served:
    """See serve()."""
    job, first = job_of(readable)
    args = (*first, *args)
    slot = job._slot_for(args, kwargs)
    if not conf.enabled:
        return Served(await job.aget(*args, **kwargs), slot.key, job.version, job.MISS, None)
    return _served(slot, await adrive(serving.serve(slot)), args, kwargs)


def _served(
    slot: Slot,
    found: tuple[Answer, Freshness | None],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Served:
    answer, freshness = found
    value = slot.job._finish(*answer, args, kwargs)
    return Served(value, slot.key, slot.job.version, answer.status, freshness)
