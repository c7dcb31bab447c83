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
            "ttl": math.ceil(call.expires),
            "description": f"refresh {call.path}",
            **({"result_ttl": 0} if conf.task_ignore_result else {}),
            # RQ's own default is a year, which a broken upstream fills.
            "failure_ttl": 24 * 60 * 60,
            **call.options,
        }
        queue = self._get_queue(options.pop("queue", "default"))
        countdown = options.pop("countdown", None)
        options.pop("priority", None)
        # create_job() refuses what it does not know; enqueue() would hand it to the function.
        job = queue.create_job(refresh, args=(call.message(),), **options)
        if countdown:
            queue.schedule_job(job, datetime.now(UTC) + timedelta(seconds=countdown))
        else:
            queue.enqueue_job(job)


def refresh(message: Mapping[str, Any]) -> bool:
    """Refresh what ``message`` names; RQ marks the job failed when the fetch raises."""
    from rq import get_current_job

    job = get_current_job()
    is_retry = job is not None and bool(job.number_of_retries)
    return RefreshCall.from_message(message).run(is_retry=is_retry)
