"""Adding what this process did to what all others did, in the cache that they share."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping

from cacheback_app.conf import conf
from cacheback_app.engine.forks import ForkSafeLock
from cacheback_app.engine.state import look, put, state_for

from .amounts import Batch, unpack
from .collecting import KEPT, LATE, Collector, collector

logger = logging.getLogger("cacheback")

TOTALS = "cacheback:stats:totals"

MINUTE_TTL = (KEPT + 5) * 60.0
TOTALS_TTL = 90 * 24 * 60 * 60.0
"""Seconds. Both live on while they are written."""

_ATTEMPTS = 50
"""Of one merge, each of which fails only because another process's came through."""


sharing = ForkSafeLock()
"""Held while figures are between this process and the cache, where they would be seen twice, or not
at all."""


def minute_key(minute: int) -> str:
    """Return where the figures of one minute are."""
    return f"cacheback:stats:{minute}"


def flush(source: Collector = collector) -> bool:
    """Add what this process has collected to the shared figures.

    A cache that is down is no error here: the figures wait for the next time.

    :returns: whether there was anything.
    """
    with sharing:
        taken = source.take()
        while taken:
            minute = min(taken)
            try:
                _merge(minute, taken[minute])
            except Exception as exc:  # whatever the backend raises: statistics must not disturb
                logger.debug("The statistics could not be shared", exc_info=exc)
                source.give_back(taken)
                return True
            del taken[minute]
            if not taken:
                return True
    return False


_FUTILE = 10
"""Writes in a row that changed nothing, though nobody else did: they are being dropped."""


class _Contended(Exception):
    """Other processes were faster every time, or the cache drops what is written."""


def _merge(minute: int, batch: Batch) -> None:
    state = state_for(conf.cache_alias)
    parts = {TOTALS: (_lasting(batch), TOTALS_TTL)}
    if minute != LATE:
        parts[minute_key(minute)] = (_passing(batch), MINUTE_TTL)
    outcome = state.apply([look(key) for key in parts])
    futile = 0
    for attempt in range(_ATTEMPTS):
        ops = []
        for key, (more, ttl) in parts.items():
            there = unpack(outcome.value(key))
            there.merge(more)
            ops.append(put(key, there.pack(), ttl, expect=outcome.raw(key)))
        if state.apply(ops).applied:
            return
        time.sleep(random.random() * 0.002 * attempt)  # noqa: S311 - to part those who collide
        before, outcome = outcome, state.apply([look(key) for key in parts])
        is_same = all(outcome.raw(key) == before.raw(key) for key in parts)
        futile = futile + 1 if is_same else 0
        if futile == _FUTILE:
            break
    raise _Contended


def _lasting(batch: Batch) -> Batch:
    return Batch(batch.jobs, failures=batch.failures)


def _passing(batch: Batch) -> Batch:
    return Batch(batch.jobs, oldest=batch.oldest)


def shared(minutes: range) -> tuple[Batch, Mapping[int, Batch]]:
    """Return the totals and the figures of ``minutes``, with one read of the cache.

    :raises Exception: what the backend raises when it is down.
    """
    keys = {minute_key(minute): minute for minute in minutes}
    found = state_for(conf.cache_alias).get_many([TOTALS, *keys])
    by_minute = {keys[key]: unpack(found[key]) for key in found if key in keys}
    return unpack(found.get(TOTALS)), by_minute
