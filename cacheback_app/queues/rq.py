"""Refreshes in RQ workers, with the queues that django-rq configures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cacheback_app.conf import conf

from .base import BaseQueue
from .call import RefreshCall


class RQQueue(BaseQueue):
    """Enqueues :func:`refresh`.

    ``queue`` in a job's ``task_options`` names one of ``RQ_QUEUES``, and ``countdown`` needs RQ's
    scheduler. Other options are those of ``Queue.create_job``; ``priority`` means nothing here.
    """

    supports_delay = True
    hands_over = True

    def __init__(self) -> None:
        try:
            import django_rq
        except ImportError as exc:
            raise ImproperlyConfigured(
                "the queue 'rq' needs django-rq: pip install cacheback-app[rq]"
            ) from exc
        self._get_queue = django_rq.get_queue

    def enqueue(self, call: RefreshCall) -> None:
        options = {
            "ttl": math.ceil(call.time_left),
            "description": f"refresh {call.path}",
            **({"result_ttl": 0} if conf.task_ignore_result else {}),
            # RQ's own default is a year, which a broken upstream fills.
            "failure_ttl": 24 * 60 * 60,
            **call.options,
        }
        queue = self._get_queue(options.pop("queue", "default"))
        countdown = options.pop("countdown", None)
        at_front = options.pop("at_front", False)
        options.pop("priority", None)
        if "job_timeout" in options:  # as Queue.enqueue() calls it
            options["timeout"] = options.pop("job_timeout")
        if retry := options.get("retry"):
            options["meta"] = {**(options.get("meta") or {}), TRIES: retry.max}
        # create_job() refuses what it does not know; enqueue() would hand it to the function.
        job = queue.create_job(refresh, args=(call.message(),), **options)
        if countdown:
            queue.schedule_job(job, datetime.now(UTC) + timedelta(seconds=countdown))
        else:
            queue.enqueue_job(job, at_front=at_front)


TRIES = "cacheback_tries"
"""Where a job's ``meta`` has how many retries it began with."""


def refresh(message: Mapping[str, Any]) -> bool:
    """Refresh what ``message`` names; RQ marks the job failed when the fetch raises."""
    from rq import get_current_job

    job = get_current_job()
    left = None if job is None else job.retries_left
    is_retry = job is not None and left is not None and left < job.meta.get(TRIES, 0)
    return RefreshCall.from_message(message).run(is_retry=is_retry)
