"""Refreshes as Django tasks: of ``django.tasks`` where Django has it, else of django-tasks."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from .base import BaseQueue
from .call import RefreshCall

try:
    from django.tasks import task
except ImportError:  # Django before 6.0
    try:
        from django_tasks import task  # type: ignore[no-redef]
    except ImportError as exc:
        raise ImproperlyConfigured(
            "the queue 'django_tasks' needs Django 6 or: pip install cacheback-app[django-tasks]"
        ) from exc


class DjangoTasksQueue(BaseQueue):
    """Enqueues :func:`refresh` on the backend ``default``, or the one that ``backend`` names.

    ``queue`` (or ``queue_name``), ``priority``, ``countdown`` and ``backend`` in a job's
    ``task_options`` are honoured where the backend supports them. The task is enqueued in the
    caller's thread, so that a database backend takes part in the caller's transaction.
    """

    supports_delay = True
    supports_priority = True

    @property
    def takes_time(self) -> bool:
        """Never: a task of the database belongs to the caller's transaction."""
        return False

    def enqueue(self, call: RefreshCall) -> None:
        options = dict(call.options)
        if "queue" in options:
            options["queue_name"] = options.pop("queue")
        if countdown := options.pop("countdown", None):
            options["run_after"] = timezone.now() + timedelta(seconds=countdown)
        # In a savepoint, so that a database that refuses does not spoil the caller's transaction.
        is_open = transaction.get_connection().in_atomic_block
        with transaction.atomic() if is_open else nullcontext():
            refresh.using(**options).enqueue(call.message())


@task
def refresh(message: dict[str, Any]) -> bool:
    """Refresh what ``message`` names; the task fails when the fetch raises."""
    return RefreshCall.from_message(message).run()
