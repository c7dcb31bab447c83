"""Refreshes in RQ workers, with the queues that django-rq configures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cacheback_app.conf import conf

from .base import BaseQueue
from .call import RefreshCall


class RQQueue(BaseQueue):
    """Enqueues :func:`refresh`. ``queue`` in a job's ``task_options`` names one of ``RQ_QUEUES``;
    ``countdown`` needs a scheduler; other options go to ``Queue.enqueue``."""

    supports_delay = True

    @property
    def takes_time(self) -> bool:
        """Always: it is Redis that takes the job."""
        return True

    def __init__(self) -> None:
        try:
            import django_rq
        except ImportError as exc:
            raise ImproperlyConfigured(
                "the queue 'rq' needs django-rq: pip install cacheback-app[rq]"
            ) from exc
        self._get_queue = django_rq.get_queue

    def enqueue(self, call: RefreshCall) -> None:
        options = dict(call.options)
        queue = self._get_queue(options.pop("queue", "default"))
        countdown = options.pop("countdown", None)
        options.setdefault("ttl", math.ceil(call.expires))
        options.setdefault("result_ttl", 0 if conf.task_ignore_result else None)
        options.setdefault("description", f"refresh {call.job}")
        message = call.message()
        if countdown:
            queue.enqueue_in(timedelta(seconds=countdown), refresh, message, **options)
        else:
            queue.enqueue(refresh, message, **options)


def refresh(message: Mapping[str, Any]) -> bool:
    """Refresh what ``message`` names; RQ marks the job failed when the fetch raises."""
    return RefreshCall.from_message(message).run()
