"""What a job can be told: attributes of its class, or keywords of ``@cacheback`` and the like."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

from .durations import Duration, seconds
from .engine import codec, status


class Options:
    """The options of a job. Durations are seconds, ``timedelta``, or text like ``"10 minutes"``."""

    lifetime: Duration = 600
    """How long a value is fresh."""
    cache_ttl: Duration | None = 60 * 60 * 24 * 30
    """How long after its fetch a value is gone, whatever happened since. None: never."""
    refresh_timeout: Duration = 60
    """How long one claim to refresh a key lasts; should exceed what a fetch normally takes."""
    fetch_on_miss: bool = True
    """Whether the caller fetches what is missing; if not, it gets ``empty()`` meanwhile."""
    fetch_on_stale_threshold: Duration | None = None
    """How long after its fetch a stale value is too old to be served. None: never."""
    wait_timeout: Duration | None = None
    """How long a caller waits for another's fetch of a missing key; then it gets ``empty()``.
    None: ``refresh_timeout``."""
    stale_if_error: bool = True
    """Whether a stale value is served when refetching it in the caller fails."""
    error_backoff: Duration = 10
    """How long a key is left alone after its refresh failed."""
    jitter: float = 0
    """Fraction of ``lifetime`` by which each expiry is randomly brought forward."""
    early_refresh: float | None = None
    """XFetch's beta: values are refreshed with growing probability before they expire; 1 is a
    good start. None: only after."""
    local_ttl: Duration = 0
    """How long a value may also be served from this process's memory, shared and read-only."""
    cache_alias: str | None = None
    """Alias in ``CACHES``. None: ``CACHEBACK_CACHE_ALIAS``."""
    task_options: Mapping[str, Any] | None = None
    """Passed to the queue: ``queue``, ``priority``, ``countdown``, ..."""
    on_dispatch_error: str = "fetch"
    """When the queue cannot be reached: "fetch" in the caller, "serve" what there is, "raise"."""
    set_data_kwarg: str = "data"
    """The keyword of ``set`` that carries the value."""
    version: int | str | None = None
    """Part of the key; bump it to abandon what is cached."""

    MISS: ClassVar[int] = status.MISS
    HIT: ClassVar[int] = status.HIT
    STALE: ClassVar[int] = status.STALE

    _used_options: Mapping[str, Any] = {}

    def using(self, **attributes: Any) -> Self:
        """Return a copy of this job with other options; workers use them as well.

        :raises TypeError: for a name that is not an option.
        """
        job = copy.copy(self)
        job._set_options(**attributes)
        job._used_options = {**self._used_options, **attributes}
        job.__dict__.pop("_used", None)
        return job

    @cached_property
    def _used(self) -> codec.Json:
        """What a worker is told of :meth:`using`, as JSON; made once for all calls of this job."""
        if not self._used_options:
            return codec.NO_KEYWORDS
        return codec.dump({"using": without_task_options(self._used_options)}, "options")

    def _set_options(self, **attributes: Any) -> None:
        """Set options of this job.

        :raises TypeError: for a name that is not an option.
        :raises ValueError: for an ``on_dispatch_error`` or a duration that there is not.
        """
        unknown = attributes.keys() - OPTIONS
        if unknown:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"no such option: {names}; there are {', '.join(sorted(OPTIONS))}")
        action = attributes.get("on_dispatch_error", "fetch")
        if action not in ("fetch", "serve", "raise"):
            raise ValueError(f"on_dispatch_error is 'fetch', 'serve' or 'raise', not {action!r}")
        for name in attributes.keys() & DURATIONS:
            seconds(attributes[name])  # raises for what is none
        self.__dict__.update(attributes)


def without_task_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a worker needs: it was told where to run, and asks nobody else to."""
    return {name: value for name, value in options.items() if name != "task_options"}


OPTIONS = frozenset(name for name in Options.__annotations__ if name.islower() and name[0] != "_")
"""The names of all options."""

DURATIONS = {"lifetime", "cache_ttl", "refresh_timeout", "error_backoff", "local_ttl"} | {
    "fetch_on_stale_threshold",
    "wait_timeout",
}
