"""Refreshes in Celery workers, with the site's own Celery app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, ClassVar

from celery import Celery
from celery._state import get_current_app
from django.core.checks import CheckMessage, Warning

from cacheback_app.durations import seconds

from .base import BaseQueue
from .call import RefreshCall


class CeleryQueue(BaseQueue):
    """Sends ``cacheback_app.tasks.refresh_cache``.

    A job's ``task_options`` go to ``apply_async`` (``queue``, ``priority``, ``countdown``, ...).
    """

    supports_delay = True
    supports_priority = True
    hands_over = True

    @property
    def takes_time(self) -> bool:
        """Whether Celery sends messages: unless it is told to run tasks in place, in tests."""
        app = get_current_app()
        told: bool | None = (app.conf.changes or {}).get("task_always_eager")
        return not (_is_eager(app, int(time.monotonic())) if told is None else told)

    @property
    def broker(self) -> object:
        """``apply_async`` of this thread's Celery app, or what a test has put in its place."""
        return _refresh_cache_of(get_current_app()).apply_async

    # A pooled connection may have died unnoticed: one more try, at once. Celery's own default
    # would sleep between three.
    RETRY_POLICY: ClassVar[dict[str, float]] = {
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    }

    def check(self, name: str, job: Any) -> Iterator[CheckMessage]:
        limit = _visibility_timeout(get_current_app())
        timeout = seconds(job.refresh_timeout)
        if limit is not None and timeout > limit and not job._has_no_value:
            yield Warning(
                f"{name} may take {timeout:g} s (refresh_timeout), but the broker delivers a task"
                f" again that was not acknowledged within {limit:g} s (visibility_timeout).",
                hint="Raise visibility_timeout in broker_transport_options, or lower the other.",
                obj=job,
                id="cacheback.W004",
            )

    def check_site(self) -> Iterator[CheckMessage]:
        app = get_current_app()
        conf = app.conf
        # Celery's own, which stands in where none was made.
        is_made_up = app.main == "default"
        if is_made_up and not (conf.broker_write_url or conf.broker_url or conf.task_always_eager):
            yield Warning(
                "This process has no Celery app of the site, as none was imported. Refreshes are"
                " sent to a RabbitMQ on this host.",
                hint="Import the site's Celery app in the __init__.py of its package, or use"
                " CACHEBACK_TASK_QUEUE = 'threads'.",
                id="cacheback.W007",
            )

    def enqueue(self, call: RefreshCall) -> None:
        self.bind(call)()

    def bind(self, call: RefreshCall) -> Callable[[], None]:
        # Which Celery app is the current one depends on the thread.
        return partial(self._publish, _refresh_cache_of(get_current_app()), call)

    def _publish(self, task: Any, call: RefreshCall) -> None:
        options: dict[str, Any] = {"retry": True, "retry_policy": self.RETRY_POLICY, **call.options}
        options["serializer"] = "json"  # whatever the site uses for tasks of its own
        options.setdefault("expires", call.time_left)
        if task.app.conf.task_always_eager:
            options.setdefault("throw", False)  # a fetch that fails is no broker that is down
        # Arguments may be private; what Celery's events and logs show is the job.
        options["kwargsrepr"] = repr({"job": call.job})
        task.apply_async(kwargs={"message": call.message()}, **options)


_VISIBILITY_TIMEOUTS = {"redis": 3600.0, "rediss": 3600.0, "sentinel": 3600.0, "sqs": 1800.0}
"""Kombu's defaults, of the transports that deliver again what nobody acknowledged in time."""


def _visibility_timeout(app: Celery) -> float | None:
    """Return after how many seconds the broker delivers again; None when it never does."""
    url: Any = app.conf.broker_write_url or app.conf.broker_url or ""
    first = url[0] if isinstance(url, (list, tuple)) else url
    default = _VISIBILITY_TIMEOUTS.get(str(first).partition(":")[0])
    if default is None:
        return None
    given = (app.conf.broker_transport_options or {}).get("visibility_timeout", default)
    return float(given)


@lru_cache(maxsize=8)
def _refresh_cache_of(app: Celery) -> Any:
    from cacheback_app.tasks import refresh_cache

    return app.tasks[refresh_cache.name]


@lru_cache(maxsize=8)
def _is_eager(app: Celery, second: int) -> bool:
    # Reading one of Celery's settings takes a tenth of a stale read; once a second will do for
    # what the app was configured with. What was changed since is in a dict of its own.
    return bool(app.conf.task_always_eager)
