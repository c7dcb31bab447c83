"""What happens inside, for metrics, logs and tests to listen to. Nothing here listens.

The sender is the job's class. Every signal carries ``job`` (its path, as text) where there is
one. Receivers run in the thread in which it happened, and an error in one is logged and goes no
further. No signal carries arguments or values; ``key`` is for debugging and not for labels.
"""

from django.dispatch import Signal

cache_read = Signal()
"""A value was asked for: ``job``, ``key``, ``status`` (MISS, HIT or STALE), ``age`` (seconds since
the fetch of a cached value; None for one that was just fetched or comes from this process's
memory). A receiver makes every hit cost half as much again, so it is for debugging and tests;
``cacheback_app.stats`` counts reads without one."""

stale_served = Signal()
"""A stale value was served: ``job``, ``key``, ``age``."""

refresh_sending = Signal()
"""A refresh is about to be handed to the queue: ``job``, ``key``, ``queue``, and ``headers``, a
dict to which receivers may add short texts, which arrive with ``fetch_began`` in the worker. They
are not signed."""

refresh_dispatched = Signal()
"""A refresh was handed to the queue: ``job``, ``key``, ``queue``."""

dispatch_failed = Signal()
"""The queue could not be reached: ``job``, ``key``, ``queue``, ``exception``."""

refresh_dropped = Signal()
"""A queue's backlog in this process was full: ``job``, ``key``, ``queue``."""

refresh_skipped = Signal()
"""A worker had nothing to do: ``job``, ``key``, ``reason``. There is no sender where Celery dropped
the message because its claim had ended ("expired")."""

fetch_began = Signal()
"""User code is about to be called: ``job``, ``key`` (the first of several), ``calls`` (how many are
fetched in one), ``background``, ``lag``, ``headers`` (see ``refresh_sending``)."""

fetch_ended = Signal()
"""It returned or raised, in the same thread or task: as ``fetch_began``, and ``exception`` (or
None). Sent for everything that began, whatever ended it."""

refresh_succeeded = Signal()
"""A value was fetched: ``job``, ``key``, ``duration`` (seconds), ``background``,
``stored`` (False when an invalidation overtook it), ``lag`` (seconds in the queue, or None)."""

refresh_failed = Signal()
"""A fetch raised: ``job``, ``key``, ``duration``, ``background``, ``exception``."""

cache_failed = Signal()
"""The cache backend raised: ``alias``, ``exception``. There is no sender."""

records_failed = Signal()
"""A cache of records could not be read or written: ``path``, ``exception``. The sender is the
endpoint's class."""
