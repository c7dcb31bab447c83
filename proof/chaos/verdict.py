"""Reads the journal, and tells whether the contract was kept."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from cacheback_app import Job
from cacheback_app.durations import seconds
from proof.outcome import Outcome, Row

from .faults import CACHE_OUTAGES
from .jobs import FETCH, Price, job_of

Event = dict[str, Any]

CALL = 1.0
"""Seconds after which a call of a Redis that does not answer is given up: two tries of half a
second. Who began it earlier may see the outage for as long after its end."""
SLACK = 1.0
"""Seconds by which a busy machine may be late."""
REFRESH_TIMEOUT = seconds(Price.refresh_timeout) or 0.0
LONGEST_WAIT = 4 * CALL + 0.25 + REFRESH_TIMEOUT + FETCH + SLACK
"""A caller's worst case: four calls of a Redis that hangs, a broker that hangs (J10), and another
caller's fetch waited for in vain (``wait_timeout``) before its own."""


class Disturbance(NamedTuple):
    """A fault that was brought about, in seconds of the monotonic clock."""

    name: str
    began: float
    ended: float


class Verdict:
    """Judges the events of one run."""

    def __init__(
        self, events: Sequence[Event], disturbed: Iterable[tuple[str, float, float]]
    ) -> None:
        self.disturbed = [Disturbance(*item) for item in disturbed]
        self.by_kind: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self.by_kind[event["what"]].append(event)
        self.outages = [
            (item.began, item.ended + CALL) for item in self.disturbed if item.name in CACHE_OUTAGES
        ]
        # Whatever made a client give Redis up, from its point of view the cache was down.
        unforeseen = [
            event["at"] for event in self.by_kind["cache failed"] if not self._is_out(event["at"])
        ]
        self.unforeseen = len(unforeseen)
        self.outages += [(at - CALL, at) for at in unforeseen]
        self.changes = _by_key(self.by_kind["change"])
        # When they began is all that counts; those of killed workers never ended.
        self.fetches = _by_key(self.by_kind["fetch"])
        failed = self.by_kind["fetch failed"]
        self.failures = {(event["key"], event["began"]): event["at"] for event in failed}

    def outcome(self, counts: Mapping[str, int]) -> Outcome:
        """Return the table and the violations."""
        names = Counter(item.name for item in self.disturbed)
        out = Outcome(
            {
                **{f"fault: {name}": count for name, count in sorted(names.items())},
                "fault: one clock a minute ahead": 1,
                **counts,
            }
        )
        for judge in (
            self._served,
            self._upstream,
            self._wait,
            self._single,
            self._fenced,
            self._aged,
            self._again,
        ):
            for row, violations in judge():
                out.add(row, violations)
        return out

    def _served(self) -> Iterator[Row]:
        gets, errors = self.by_kind["get"], self.by_kind["error"]
        status = Counter(event["status"] for event in gets)
        shown = f"{len(gets)} ({status[Job.HIT]} hits, {status[Job.STALE]} stale)"
        yield (
            (
                "requests served",
                shown,
                "",
            ),
            [] if gets else ["no request was served"],
        )
        changed = Counter(event["kind"] for event in self.by_kind["change"])
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(changed.items()))
        yield ("changes made", told, ""), []
        yield (
            ("errors that reached a caller", str(len(errors)), "0"),
            [f"{error['key']}: {error['error']}" for error in errors],
        )
        yield ("clients that gave Redis up while it was up", str(self.unforeseen), ""), []

    def _upstream(self) -> Iterator[Row]:
        """Who asks while the upstream is down is given what there is, and gets its error only when
        there is nothing (J7)."""
        failed = self.by_kind["get failed"]
        problems = [
            f"{event['key']}: the upstream's error was raised {event['at'] - known:.2f} s after"
            " a value was there"
            for event in failed
            if (known := self._known_at(event["key"], event["began"], event["at"])) is not None
        ]
        yield ("fetches that the upstream refused", str(len(self.failures)), ""), []
        yield ("requests that found nothing, and got its error", str(len(failed)), ""), []
        yield (("its errors in spite of a value", str(len(problems)), "0"), problems)

    def _known_at(self, key: str, began: float, ended: float) -> float | None:
        """Return when a value of ``key`` was known to be cached that must be there yet."""
        served = [event for event in self.by_kind["get"] if event["key"] == key]
        served = [event for event in served if event["status"] != Job.MISS]
        since = max((event["at"] for event in served if event["at"] < began), default=None)
        if since is None:
            return None
        seen = next(event["began"] for event in served if event["at"] == since)
        is_deleted = any(
            change["kind"] == "delete" and change["began"] <= ended and change["at"] >= seen
            for change in self.changes.get(key, ())
        )
        return None if is_deleted or self._is_out(seen, ended) else since

    def _wait(self) -> Iterator[Row]:
        gets = self.by_kind["get"]
        waits = sorted(event["at"] - event["began"] for event in gets)
        longest = waits[-1] if waits else 0.0
        shown = f"{longest:.2f} s (99 % within {waits[int(len(waits) * 0.99)] * 1000:.0f} ms)"
        yield (
            ("longest wait of a caller", shown, f"{LONGEST_WAIT:.2f} s"),
            [f"a caller waited {longest:.2f} s"] if longest > LONGEST_WAIT else [],
        )
        empty = [event for event in gets if event["born"] is None]
        yield ("requests answered with empty()", str(len(empty)), ""), []

    def _single(self) -> Iterator[Row]:
        """At most one fetch per key and ``refresh_timeout`` (J2, J3), unless a change of that key
        called for another, or the cache was down. Who finds nothing tries after a fetch that
        failed, one at a time (J3)."""
        problems, checked = [], 0
        for key, fetches in self.fetches.items():
            for first, second in pairwise(fetches):
                checked += 1
                gap = second["began"] - first["began"]
                end = self.failures.get((key, first["began"]))
                is_early = gap < REFRESH_TIMEOUT - SLACK / 2 and not (
                    end is not None and end <= second["began"]
                )
                since = first["began"] - REFRESH_TIMEOUT - SLACK
                is_called_for = self._changed(key, since, second["began"])
                if is_early and not (is_called_for or self._is_out(since, second["began"])):
                    problems.append(f"{key} was fetched twice within {gap:.2f} s")
        yield (
            ("fetches too many per key and refresh_timeout", f"{len(problems)} of {checked}", "0"),
            problems,
        )

    def _fenced(self) -> Iterator[Row]:
        """What was fetched before a change is not fresh after it (J5)."""
        problems, checked = [], 0
        for event in self.by_kind["get"]:
            if event["status"] != Job.HIT or event["born"] is None:
                continue
            change = self._last_change(event["key"], event["began"])
            if change is None:
                continue
            checked += 1
            if event["number"] < change["number"]:
                problems.append(
                    f"{event['key']}: {event['number']} ({event['origin']}) was served as fresh"
                    f" {event['began'] - change['at']:.2f} s after"
                    f" {change['kind']} {change['number']}"
                )
        yield (
            ("values from before a change, served as fresh", f"{len(problems)} of {checked}", "0"),
            problems,
        )

    def _aged(self) -> Iterator[Row]:
        """A stale value is served no longer than it takes to renew it."""
        for name in ("price", "report"):
            # How long ago the served value was superseded, or became stale.
            lifetime = seconds(job_of(name).lifetime) or 0.0
            ages = [
                event["began"] - event["born"]
                for event in self.by_kind["get"]
                if event["born"] is not None and event["key"].startswith(name)
            ]
            bound = lifetime + 2 * REFRESH_TIMEOUT + self._longest_disturbance() + SLACK
            oldest = max(ages, default=0.0)
            yield (
                (f"age of the oldest {name} served", f"{oldest:.2f} s", f"{bound:.2f} s"),
                [f"a {name} of {oldest:.2f} s was served"] if oldest > bound else [],
            )

    def _again(self) -> Iterator[Row]:
        """Every invalidation is followed by a fetch that began after it, and did not fail."""
        problems, checked, took = [], 0, 0.0
        for key, changes in self.changes.items():
            for change in changes:
                if change["kind"] != "invalidate" or self._is_out(change["began"], change["at"]):
                    continue
                checked += 1
                later = [
                    fetch
                    for fetch in self.fetches[key]
                    if fetch["began"] >= change["began"]
                    and (key, fetch["began"]) not in self.failures
                ]
                overtaken = any(
                    other["kind"] != "invalidate" and other["began"] >= change["at"]
                    for other in changes
                )
                if later:
                    took = max(took, later[0]["began"] - change["began"])
                elif not overtaken:
                    problems.append(f"{key}: nothing was fetched after change {change['number']}")
        yield (
            (
                "invalidations without a fetch that began after",
                f"{len(problems)} of {checked}",
                "0",
            ),
            problems,
        )
        yield ("longest time from an invalidation to that fetch", f"{took:.2f} s", ""), []

    # What the events say

    def _is_out(self, since: float, until: float | None = None) -> bool:
        """Return whether the cache was down at any time between."""
        end = since if until is None else until
        return any(began <= end and ended >= since for began, ended in self.outages)

    def _changed(self, key: str, since: float, until: float) -> bool:
        return any(
            change["began"] <= until and change["at"] >= since
            for change in self.changes.get(key, ())
        )

    def _last_change(self, key: str, before: float) -> Event | None:
        """Return the last change of ``key`` that had ended then and reached the cache."""
        changes = self.changes.get(key, [])
        at = bisect_left([change["at"] for change in changes], before)
        reached = (
            change
            for change in reversed(changes[:at])
            if not self._is_out(change["began"], change["at"])
        )
        return next(reached, None)

    def _longest_disturbance(self) -> float:
        """Return how long faults that followed each other kept anything from being renewed."""
        longest = began = ended = 0.0
        for item in self.disturbed:
            if item.began > ended + REFRESH_TIMEOUT:
                began = item.began
            ended = item.ended
            longest = max(longest, ended - began)
        return longest


def _by_key(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Return events by key, in the order in which they began."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event["began"]):
        found[event["key"]].append(event)
    return found
