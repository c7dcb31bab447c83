"""OpenTelemetry: which spans there are, and how they hang together."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cacheback_app import Job, tracing
from cacheback_app.queues import RefreshCall
from tests.jobs.support import CaptureQueue, captured, path_of
from tests.operations.shop import HERE, Broken, Report, mark_stale

pytestmark = pytest.mark.usefixtures("counting")

FETCH, DISPATCH = f"fetch {HERE}.Report", f"dispatch {HERE}.Report"


class Traces:
    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")

    def take(self) -> list[ReadableSpan]:
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found


@pytest.fixture
def traces() -> Iterator[Traces]:
    traces = Traces()
    instrumentation = tracing.Instrumentation(traces.provider)
    instrumentation.connect()
    yield traces
    instrumentation.disconnect()
    assert not trace.get_current_span().get_span_context().is_valid, "a span was left open"


@pytest.fixture
def capture(settings: Any) -> CaptureQueue:
    settings.CACHEBACK_TASK_QUEUE = path_of(CaptureQueue)
    captured().sent.clear()
    return captured()


def test_a_fetch_is_a_span_and_a_hit_is_none(traces: Traces) -> None:
    """A miss is one span below that of the request; a hit adds none (section 7)."""
    with traces.tracer.start_as_current_span("request"):
        Report().get("2025")
        Report().get("2025")
    fetch, request = traces.take()
    assert (fetch.name, request.name) == (FETCH, "request")
    assert fetch.parent is not None and request.context is not None
    assert fetch.parent.span_id == request.context.span_id
    assert fetch.attributes == {
        "cacheback.job": f"{HERE}.Report",
        "cacheback.background": False,
        "cacheback.calls": 1,
    }


@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_fetch_does_belongs_to_its_span(is_async: bool, traces: Traces) -> None:
    """Spans that are made in ``fetch`` are below it, in sync and async callers (section 7)."""

    class Slow(Job):
        def fetch(self, name: str) -> str:
            with traces.tracer.start_as_current_span("query"):
                return name

    job = Slow()
    assert (asyncio.run(job.aget("x")) if is_async else job.get("x")) == "x"
    query, fetch = traces.take()
    assert query.parent is not None and fetch.context is not None
    assert query.parent.span_id == fetch.context.span_id


def test_a_failure(traces: Traces) -> None:
    """A span of a fetch that raised is an error of that type; no message, which may hold arguments
    (section 7)."""
    with pytest.raises(ValueError, match="no password"):
        Broken().get("password")
    (fetch,) = traces.take()
    assert fetch.status.status_code is trace.StatusCode.ERROR
    assert fetch.attributes is not None and fetch.attributes["error.type"] == "ValueError"
    assert "password" not in fetch.to_json()


def test_a_refresh_belongs_to_the_trace_that_asked(traces: Traces, capture: CaptureQueue) -> None:
    """The trace goes with the message, as JSON, into the worker (section 7)."""
    Report().get("2025")
    mark_stale(Report(), "2025")
    traces.take()
    with traces.tracer.start_as_current_span("request"):
        Report().get("2025")
    dispatch, request = traces.take()
    assert dispatch.name == DISPATCH and dispatch.kind is trace.SpanKind.PRODUCER
    assert dispatch.attributes is not None
    assert dispatch.attributes["cacheback.queue"] == "capture"
    message = json.loads(json.dumps(capture.sent[0].message()))
    RefreshCall.from_message(message).run()
    (fetch,) = traces.take()
    assert fetch.name == FETCH and fetch.kind is trace.SpanKind.CONSUMER
    assert fetch.parent is not None and dispatch.context is not None and request.context
    assert fetch.parent.span_id == dispatch.context.span_id
    assert fetch.context is not None and fetch.context.trace_id == request.context.trace_id
    assert fetch.attributes is not None and "cacheback.queue_lag" in fetch.attributes


def test_a_worker_that_traces_its_tasks(traces: Traces, capture: CaptureQueue) -> None:
    """Where the task has a span already, the fetch is below that, and linked to the dispatch
    (section 7)."""
    Report().async_refresh("2025")
    (dispatch,) = traces.take()
    with traces.tracer.start_as_current_span("task"):
        RefreshCall.from_message(capture.sent[0].message()).run()
    fetch, task = traces.take()
    assert fetch.parent is not None and task.context is not None and dispatch.context is not None
    assert fetch.parent.span_id == task.context.span_id
    assert [link.context.span_id for link in fetch.links] == [dispatch.context.span_id]


@pytest.mark.parametrize(
    "headers", [None, 5, [], {"a": 5}, {5: "a"}, {"a": "b" * 5000}, {str(n): "" for n in range(50)}]
)
def test_headers_that_are_not_ours(headers: Any, capture: CaptureQueue, traces: Traces) -> None:
    """Headers are not signed: strange ones are left out, and the refresh runs (J14, J15)."""
    Report().async_refresh("2025")
    message = {**capture.sent[0].message(), "headers": headers}
    call = RefreshCall.from_message(message)
    assert call.headers == {}
    assert call.run()


def test_headers_cannot_break_a_refresh(capture: CaptureQueue, traces: Traces) -> None:
    """A context that nobody can read is no context (section 7)."""
    Report().async_refresh("2025")
    message = {**capture.sent[0].message(), "headers": {"traceparent": "00-\x00-zz-01"}}
    assert RefreshCall.from_message(message).run()


def test_metrics() -> None:
    """Reads, fetches and their times are observable counters by job and outcome (section 7)."""
    reader = InMemoryMetricReader()
    tracing.instrument_metrics(MeterProvider([reader]))
    for _ in range(3):
        Report().get("2025")
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        (metric.name, point.attributes.get("cacheback.outcome")): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert found["cacheback.reads", "hit"] == 2 and found["cacheback.reads", "miss"] == 1
    assert found["cacheback.fetches", "success"] == 1
    assert found["cacheback.fetch.time", None] > 0
