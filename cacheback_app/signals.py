"""What happens inside, for metrics, logs and tests to listen to. Nothing here listens.

The sender is the job's class. Every signal carries ``job`` (its path, as text) where there is
one. Receivers run in the thread in which it happened, and an error in one is logged and goes no
further. No signal carries arguments or values; ``key`` is for debugging and not for labels.
"""

from django.dispatch import Signal

cache_read = Signal()
"""A value was asked for: ``job``, ``key``, ``status`` (MISS, HIT or STALE)."""

refresh_dispatched = Signal()
"""A refresh was handed to the queue: ``job``, ``key``, ``queue``."""

dispatch_failed = Signal()
"""The queue could not be reached: ``job``, ``key``, ``queue``, ``exception``."""

refresh_dropped = Signal()
"""A queue's backlog in this process was full: ``job``, ``key``, ``queue``."""

refresh_skipped = Signal()
"""A worker had nothing to do: ``job``, ``key``, ``reason``."""

refresh_succeeded = Signal()
"""A value was fetched: ``job``, ``key``, ``duration`` (seconds), ``background``,
``stored`` (False when an invalidation overtook it), ``lag`` (seconds in the queue, or None)."""

refresh_failed = Signal()
"""A fetch raised: ``job``, ``key``, ``duration``, ``background``, ``exception``."""

cache_failed = Signal()
"""The cache backend raised: ``alias``, ``exception``. There is no sender."""
