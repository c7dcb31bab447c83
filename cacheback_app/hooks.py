"""What a job may override, with the defaults."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from .durations import seconds
from .engine.slot import Call
from .options import Options


class Hooks(Options):
    """The methods of a job that are there to be overridden. Only ``fetch`` must be."""

    def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value: the slow work. May be ``async def``."""
        raise NotImplementedError(f"{type(self).__qualname__} needs a fetch() method")

    def fetch_many(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Return the values of several calls, in order: by default one :meth:`fetch` each.

        May be ``async def``.
        """
        return [self.fetch(*call.args, **call.kwargs) for call in calls]

    def expiry(self, *args: Any, **kwargs: Any) -> float:
        """Return the Unix timestamp at which a value fetched now becomes stale."""
        return time.time() + seconds(self.lifetime)

    def timeout(self, *args: Any, **kwargs: Any) -> float:
        """Return the Unix timestamp at which a claim taken now lapses."""
        return time.time() + seconds(self.refresh_timeout)

    def empty(self) -> Any:
        """Return what callers get for a missing value that is being fetched elsewhere."""
        return None

    def process_result(
        self, result: Any, call: Call, cache_status: int, sync_fetch: bool | None = None
    ) -> Any:
        """Return what ``get`` shall return for ``result``.

        :param cache_status: MISS, HIT or STALE.
        :param sync_fetch: whether the value was fetched for this caller; None for a hit.
        """
        return result

    def should_missing_item_be_fetched_synchronously(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the caller fetches what is missing."""
        return self.fetch_on_miss

    def should_stale_item_be_fetched_synchronously(
        self, delta: float, *args: Any, **kwargs: Any
    ) -> bool:
        """Return whether the caller refetches a stale value.

        :param delta: seconds by which the value's age exceeds ``lifetime``.
        """
        threshold = seconds(self.fetch_on_stale_threshold)
        return threshold is not None and delta > threshold - seconds(self.lifetime)

    def should_cache(self, value: Any) -> bool:
        """Return whether a fetched value is stored."""
        return True

    def tags(self, *args: Any, **kwargs: Any) -> Iterable[str]:
        """Return the tags of a call, by which ``invalidate_tags`` finds what it cached."""
        return ()

    def calls_to_warm(self) -> Iterable[Any]:
        """Return the calls that ``manage.py cacheback warm`` fetches when it is given none, in the
        forms that ``get_many`` takes."""
        return ()

    def prepare_args(self, *args: Any) -> tuple[Any, ...]:
        """Return the positional arguments in the form in which ``fetch`` gets them."""
        return args

    def prepare_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """Return the keyword arguments in the form in which ``fetch`` gets them."""
        return kwargs

    def get_init_args(self) -> tuple[Any, ...]:
        """Return the positional arguments with which a worker rebuilds this job."""
        return ()

    def get_init_kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments with which a worker rebuilds this job."""
        return {}
