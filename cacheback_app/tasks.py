"""The Celery task. It is found by ``app.autodiscover_tasks()``, like every ``tasks.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from celery.signals import worker_process_shutdown

from .conf import conf

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefreshTask(Task):  # type: ignore[type-arg]
    """A task whose results are kept or not as ``CACHEBACK_TASK_IGNORE_RESULT`` says."""

    @property
    def ignore_result(self) -> bool:  # type: ignore[override]
        """Whether the result is thrown away. Read late: importing this needs no settings."""
        return conf.task_ignore_result


@shared_task(bind=True, base=RefreshTask, name="cacheback_app.tasks.refresh_cache")
def refresh_cache(self: Task[Any, Any], message: Mapping[str, Any]) -> bool:
    """Refresh what ``message`` names; return whether that was still needed.

    :raises MalformedCall: when the message was not written by this site.
    :raises Exception: whatever the job's ``fetch`` raises, so that the task fails and Celery's
        retry options apply.
    """
    from .queues import RefreshCall

    return RefreshCall.from_message(message).run(is_retry=self.request.retries > 0)


@worker_process_shutdown.connect
def share_statistics(**kwargs: Any) -> None:
    """Share what a pool's process did: it ends without Python's own exit."""
    from .stats.flushing import flusher

    flusher.finish()
