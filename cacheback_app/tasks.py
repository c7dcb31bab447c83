"""The Celery task. It is found by ``app.autodiscover_tasks()``, like every ``tasks.py``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from celery.signals import task_revoked, worker_process_shutdown

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


@task_revoked.connect
def report_expired(sender: Any, request: Any, expired: bool = False, **kwargs: Any) -> None:
    """Report a refresh that the worker dropped, as it came too late; in its main process."""
    if not expired or sender.name != refresh_cache.name:
        return
    from .exceptions import MalformedCall
    from .queues import RefreshCall

    with contextlib.suppress(MalformedCall, LookupError, TypeError):  # it is not of this site
        RefreshCall.from_message(request.kwargs["message"]).expired()


@worker_process_shutdown.connect
def share_statistics(**kwargs: Any) -> None:
    """Share what a pool's process did: it ends without Python's own exit."""
    from .stats.flushing import flusher

    flusher.finish()
