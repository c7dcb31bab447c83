"""What it costs a hit that everything about it is counted, shown and exported."""

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry

import cacheback_app.base
from benchmarks.environment import Environment
from benchmarks.report import FLOOR, OURS, Row, timed
from benchmarks.subjects import VALUE, Tweets
from benchmarks.timing import calls, interleaved
from cacheback_app import metrics, stats, tracing

COUNTING = "next(self._tally.live or self._tally.wake(args))"


class Uncounted(Tweets):
    """The same job with a ``get`` that does not count its hits."""


def _without_counting() -> Any:
    source = textwrap.dedent(inspect.getsource(cacheback_app.base.Job.get))
    if source.count(COUNTING) != 1:
        raise ValueError("Job.get counts otherwise than this benchmark thinks")
    names = dict(vars(cacheback_app.base))
    exec(source.replace(COUNTING, "pass"), names)
    return names["get"]


Uncounted.get = _without_counting()  # type: ignore[method-assign]


def run(environment: Environment) -> Iterator[Row]:
    registry = CollectorRegistry()
    metrics.register(registry)
    instrumentation = tracing.instrument()
    bare, job = Uncounted(), Tweets()
    for each in (bare, job):
        each.set("alice", data=VALUE)
    method = "job.get('alice')"
    blocks = {FLOOR: calls(method, job=bare), OURS: calls(method, job=job)}
    samples = interleaved(blocks, number=1000, rounds=150)
    instrumentation.disconnect()
    stats.flush()
    yield timed("hit, local memory: everything on / nothing counted", samples, 1.15)
