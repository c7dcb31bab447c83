"""What a value's freshness is in the words of HTTP (RFC 9110, 9111, 5861). No I/O.

A job's cache is a cache as RFC 9111 knows it, so its answers carry what one carries: ``max-age`` is
the lifetime from the fetch on, and ``Age`` how much of it is over. Everybody downstream
subtracts one from the other, and so agrees with the job on the second at which the value is stale.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable

from django.utils.crypto import salted_hmac

from cacheback_app.serving import Freshness, Served

LONGEST = 365 * 24 * 60 * 60
"""Seconds; what is longer is as good as for ever, and some caches overflow."""


def cache_control(freshness: Freshness, scope: str, max_stale: float | None = None) -> str:
    """Return the header's value.

    :param scope: "public" or "private".
    :param max_stale: seconds for which a stale copy may be used at most, whatever the job does.
    """
    most = LONGEST if max_stale is None else min(LONGEST, max_stale)
    stale_for = {
        "stale-while-revalidate": freshness.serve_until - freshness.expiry,
        "stale-if-error": freshness.keep_until - freshness.expiry,
    }
    directives = [scope, f"max-age={_whole(freshness.expiry - freshness.fetched_at, LONGEST)}"]
    directives += [f"{name}={_whole(span, most)}" for name, span in stale_for.items() if span >= 1]
    return ", ".join(directives)


def age(freshness: Freshness) -> str:
    """Return the header's value. Rounded up, and ``max-age`` down: never too fresh."""
    return str(math.ceil(freshness.age))


def etag(served: Served, others: Iterable[str]) -> str:
    """Return the tag of a page that shows the value, or "" when it was not kept.

    It is weak: pages of one value mean the same, but a token or a date on them may differ, and
    compression changes their bytes.

    :param others: what else makes one page differ from another; it is not readable in the tag.
    """
    if served.freshness is None:
        return ""
    parts = [served.key, repr(served.freshness.fetched_at), str(served.version), *others]
    digest = salted_hmac("cacheback_app.http.etag", json.dumps(parts), algorithm="sha256")
    return f'W/"{digest.hexdigest()[:32]}"'


def last_modified(freshness: Freshness) -> int | None:
    """Return the second in which the value came, or None while that second lasts: another value
    may yet come in it, and ``If-Modified-Since`` could not tell the two apart."""
    second = int(freshness.arrived_at)
    return second if second < int(time.time()) else None


def _whole(span: float, most: float) -> int:
    return int(max(0.0, min(span, most)))
