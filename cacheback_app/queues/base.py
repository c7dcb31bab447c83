"""What a task queue has to offer, documented once, here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from cacheback_app.conf import conf, on_change
from cacheback_app.engine.layers import Layers
from cacheback_app.exceptions import QueueError

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

    from .call import RefreshCall

BUILT_IN = {
    "celery": "cacheback_app.queues.celery.CeleryQueue",
    "rq": "cacheback_app.queues.rq.RQQueue",
    "django_tasks": "cacheback_app.queues.django_tasks.DjangoTasksQueue",
    "threads": "cacheback_app.queues.threads.ThreadsQueue",
    "sync": "cacheback_app.queues.sync.SyncQueue",
}


class BaseQueue(ABC):
    """A task queue. A queue of one's own is a subclass with :meth:`enqueue`::

        class PigeonQueue(BaseQueue):
            def enqueue(self, call):
                loft.release(json.dumps(call.message()))

    and a worker that runs what arrives::

        RefreshCall.from_message(json.loads(letter)).run()

    with ``CACHEBACK_TASK_QUEUE = "birds.PigeonQueue"`` in the settings.
    """

    in_process: bool = False
    """Whether refreshes run in the process that asks for them, so that any callable will do."""
    in_place: bool = False
    """Whether :meth:`enqueue` runs the refresh itself, before it returns."""
    supports_delay: bool = False
    """Whether ``countdown`` in a job's ``task_options`` has a meaning."""
    supports_priority: bool = False
    """Whether ``priority`` in a job's ``task_options`` has a meaning."""
    keeps_all: bool = False
    """Whether it takes what no worker would find, too, since it passes nothing on: for tests."""
    hands_over: bool = False
    """Whether callers may go on before :meth:`enqueue` has ended, as long as the broker answers.

    A broker that turns out to be gone is then found out in the background, by one call."""

    @property
    def takes_time(self) -> bool:
        """Whether :meth:`enqueue` talks to a server, so that no request should wait for it.

        One background thread calls it then. By default that is so but for queues in this process.
        """
        return not self.in_process

    @property
    def broker(self) -> object:
        """What takes the calls: whether it answers is remembered for each by itself."""
        return self

    @property
    def name(self) -> str:
        """A short name for logs and metrics."""
        return type(self).__name__.removesuffix("Queue").lower()

    def check(self, name: str, job: Any) -> Iterable[CheckMessage]:
        """Return what will not work with the job ``name`` on this queue, as system checks.

        :param job: what has the job's options as attributes: its class, or an instance.
        """
        return ()

    def check_site(self) -> Iterable[CheckMessage]:
        """Return what keeps this queue from working for any job, as system checks."""
        return ()

    @abstractmethod
    def enqueue(self, call: RefreshCall) -> None:
        """Have ``call`` run, once, within ``call.time_left`` seconds or not at all.

        Any error that is raised means that the call was not enqueued.
        """

    def bind(self, call: RefreshCall) -> Callable[[], None]:
        """Return what enqueues ``call``, to be called in another thread."""
        return partial(self.enqueue, call)

    def send(self, call: RefreshCall) -> None:
        """Enqueue ``call`` without holding a request up.

        :raises QueueError: when the queue cannot be reached, as far as can be told in time.
        """
        if self.takes_time:
            from .handoff import handoff

            handoff.send(self, call)
            return
        try:
            self.enqueue(call)
        except QueueError:
            raise
        except Exception as exc:
            raise QueueError(f"{type(exc).__name__}: {exc}") from exc


layers: Layers[BaseQueue] = Layers()
"""What tests put between a job and its queue (see ``cacheback_app.testing``)."""


def get_queue() -> BaseQueue:
    """Return the queue that ``CACHEBACK_TASK_QUEUE`` names.

    :raises ImproperlyConfigured: for a name that is neither built in nor that of a queue class.
    """
    return layers.over(conf.task_queue, queue_named(conf.task_queue))


@lru_cache(maxsize=8)
def queue_named(name: str) -> BaseQueue:
    """Return this process's queue of that name or dotted path."""
    return queue_class(name)()


def queue_class(name: str) -> type[BaseQueue]:
    """Return the class that ``name`` stands for, without building a queue.

    :raises ImproperlyConfigured: as :func:`get_queue` does.
    """
    try:
        found = import_string(BUILT_IN.get(name, name))
    except (ImportError, AttributeError, TypeError) as exc:
        raise ImproperlyConfigured(
            f"CACHEBACK_TASK_QUEUE: {name!r} is none of {', '.join(BUILT_IN)}, "
            f"and cannot be imported: {exc}"
        ) from exc
    if not (isinstance(found, type) and issubclass(found, BaseQueue)):
        raise ImproperlyConfigured(f"CACHEBACK_TASK_QUEUE {name!r} is not a BaseQueue")
    return found


on_change(queue_named.cache_clear, "CACHEBACK_TASK_QUEUE")
