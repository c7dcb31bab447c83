"""Traces and metrics for OpenTelemetry (extra ``otel``), by listening to the signals.

::

    from cacheback_app import tracing

    tracing.instrument()

A fetch is a span, ``fetch shop.jobs.Report``, around everything that it does; a dispatch is one
too, and its context travels with the message, so that a refresh in a worker belongs to the trace
of the request that asked for it. A hit makes no span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from . import signals, stats
from .stats.figures import JobFigures

try:
    from opentelemetry import context, metrics, propagate, trace
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, TracerProvider
except ImportError as exc:
    raise ImproperlyConfigured(
        "cacheback_app.tracing needs opentelemetry-api: pip install cacheback-app[otel]"
    ) from exc

NAME = "cacheback_app"


@dataclass(frozen=True, slots=True)
class _Open:
    """A span that has begun, and what was current before it."""

    what: str
    span: Span
    token: Token[Context] | None


_open: ContextVar[tuple[_Open, ...]] = ContextVar("cacheback_spans", default=())
"""Of this thread or task, the innermost last."""


class Instrumentation:
    """Makes spans of what the signals tell.

    :param tracer_provider: the global one if not told.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        self._receivers: dict[Signal, Callable[..., None]] = {
            signals.fetch_began: self._fetch_began,
            signals.fetch_ended: self._fetch_ended,
            signals.refresh_sending: self._sending,
            signals.refresh_dispatched: self._dispatched,
            signals.dispatch_failed: self._dispatch_failed,
        }

    def connect(self) -> None:
        """Begin to listen."""
        for signal, receiver in self._receivers.items():
            signal.connect(receiver, weak=False, dispatch_uid="cacheback.tracing")

    def disconnect(self) -> None:
        """Listen no more."""
        for signal in self._receivers:
            signal.disconnect(dispatch_uid="cacheback.tracing")

    def _fetch_began(
        self,
        job: str,
        calls: int,
        background: bool,
        lag: float | None,
        headers: Mapping[str, str],
        **_: Any,
    ) -> None:
        sent_by = propagate.extract(headers) if headers else None
        link, parent = None, None
        if sent_by is not None:
            if trace.get_current_span().get_span_context().is_valid:
                # The worker traces its tasks itself: the fetch belongs there, and is linked.
                link = Link(trace.get_current_span(sent_by).get_span_context())
            else:
                parent = sent_by
        attributes: dict[str, Any] = {
            "cacheback.job": job,
            "cacheback.background": background,
            "cacheback.calls": calls,
        }
        if lag is not None:
            attributes["cacheback.queue_lag"] = lag
        span = self._tracer.start_span(
            f"fetch {job}",
            parent,
            kind=SpanKind.CONSUMER if lag is not None else SpanKind.INTERNAL,
            attributes=attributes,
            links=[link] if link else None,
        )
        _enter("fetch", span, trace.set_span_in_context(span))

    def _fetch_ended(self, exception: BaseException | None, **_: Any) -> None:
        _leave("fetch", exception)

    def _sending(self, job: str, queue: str, headers: dict[str, str], **_: Any) -> None:
        attributes = {"cacheback.job": job, "cacheback.queue": queue}
        span = self._tracer.start_span(
            f"dispatch {job}", kind=SpanKind.PRODUCER, attributes=attributes
        )
        propagate.inject(headers, trace.set_span_in_context(span))
        # Not made current: where the queue refreshes in place, the fetch finds it in the headers.
        _enter("dispatch", span, None)

    def _dispatched(self, **_: Any) -> None:
        _leave("dispatch", None)

    def _dispatch_failed(self, exception: BaseException, **_: Any) -> None:
        _leave("dispatch", exception)


def _enter(what: str, span: Span, current: Context | None) -> None:
    token = None if current is None else context.attach(current)
    _open.set((*_open.get(), _Open(what, span, token)))


def _leave(what: str, exc: BaseException | None) -> None:
    """End the innermost span, if it is of that kind: a dispatch may fail in another thread."""
    *outer, last = _open.get() or (None,)
    if last is None or last.what != what:
        return
    _open.set(tuple(item for item in outer if item is not None))
    if last.token is not None:
        context.detach(last.token)
    if exc is not None:
        # The type only: messages of errors may hold arguments.
        name = type(exc).__qualname__
        last.span.set_attribute("error.type", name)
        last.span.set_status(Status(StatusCode.ERROR, name))
    last.span.end()


# Metrics

_OUTCOMES = {
    "cacheback.reads": {"hit": "hits", "stale": "stale", "miss": "misses"},
    "cacheback.dispatches": {
        "sent": "dispatched",
        "failed": "dispatch_failures",
        "dropped": "dropped",
    },
    "cacheback.fetches": {"success": "refreshes", "failure": "failures"},
}


def _observe_counts(outcomes: Mapping[str, str]) -> Callable[[CallbackOptions], Iterable[Any]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for job, found in stats.of_this_process().items():
            for outcome, attribute in outcomes.items():
                labels = {"cacheback.job": job, "cacheback.outcome": outcome}
                yield Observation(getattr(found, attribute), labels)

    return observe


def _observe_seconds(
    seconds: Callable[[JobFigures], float],
) -> Callable[[CallbackOptions], Iterable[Any]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for job, found in stats.of_this_process().items():
            yield Observation(seconds(found), {"cacheback.job": job})

    return observe


def instrument_metrics(meter_provider: MeterProvider | None = None) -> None:
    """Offer this process's figures as observable counters; the collector adds processes up.

    :param meter_provider: the global one if not told.
    """
    meter = metrics.get_meter(NAME, meter_provider=meter_provider)
    for name, outcomes in _OUTCOMES.items():
        meter.create_observable_counter(name, [_observe_counts(outcomes)])
    for name, seconds in (
        ("cacheback.fetch.time", lambda found: found.fetch.total),
        ("cacheback.queue.lag", lambda found: found.lag.total),
    ):
        meter.create_observable_counter(name, [_observe_seconds(seconds)], unit="s")


def instrument(
    tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> Instrumentation:
    """Begin to trace and to offer metrics; once in a process, from an ``AppConfig.ready``.

    :returns: what makes the spans, to be disconnected if need be.
    """
    instrumentation = Instrumentation(tracer_provider)
    instrumentation.connect()
    instrument_metrics(meter_provider)
    return instrumentation
