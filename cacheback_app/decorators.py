"""``@cacheback``: cache what a function returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial, update_wrapper
from inspect import Signature, iscoroutinefunction, signature
from typing import Any, Generic, ParamSpec, TypeVar, overload

from asgiref.sync import markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured

from .base import Job
from .conf import conf
from .engine import registry
from .engine.explaining import Explanation
from .engine.slot import Call, as_call
from .engine.tallies import tallies
from .exceptions import JobNotImportable
from .jobs import FunctionJob
from .queues.base import queue_class

P = ParamSpec("P")
R = TypeVar("R")


class CachedFunction(Generic[P, R]):
    """A function whose calls are cached.

    Calling it gives what ``fn`` returns: a coroutine when that is ``async def``. ``job`` is the
    :class:`FunctionJob` behind it.
    """

    fn: Callable[P, R]
    """The function itself, uncached."""
    job: FunctionJob

    def __init__(self, fn: Callable[P, R], job: FunctionJob) -> None:
        update_wrapper(self, fn)
        self.fn = fn
        self.job = job = copy(job)  # one decorator may decorate several functions
        job._tally = tallies.of(registry.dotted(fn))
        self._get = job.get
        if iscoroutinefunction(fn):
            markcoroutinefunction(self)
            self._get = job.aget
        registry.register(registry.path_of(fn), self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        value: R = self._get(self, *args, **kwargs)
        return value

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        return self if instance is None else BoundCachedFunction(self, instance)

    def __reduce__(self) -> str:
        # By name, as functions are: for processes that are given one to call.
        return self.fn.__qualname__

    def __repr__(self) -> str:
        return f"<cacheback {registry.dotted(self.fn)}>"

    # The job's methods, for this function. ``job`` has them all: ``f.job.async_refresh(f, ...)``.

    def set(self, *args: Any, **kwargs: Any) -> None:
        """See Job.set()."""
        self.job.set(self, *args, **kwargs)

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """See Job.invalidate()."""
        self.job.invalidate(self, *args, **kwargs)

    def delete(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """See Job.delete()."""
        self.job.delete(self, *args, **kwargs)

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """See Job.refresh()."""
        return self.job.refresh(self, *args, **kwargs)

    def raw_get(self, *args: P.args, **kwargs: P.kwargs) -> tuple[float, Any] | None:
        """See Job.raw_get()."""
        return self.job.raw_get(self, *args, **kwargs)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """See Job.explain()."""
        return self.job.explain(self, *args, **kwargs)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """See Job.key()."""
        return self.job._slot_for((self, *args), kwargs).key

    def get_many(self, calls: Iterable[Any]) -> list[Any]:
        """See Job.get_many()."""
        return self.job.get_many(_with_first(self, calls))

    async def aset(self, *args: Any, **kwargs: Any) -> None:
        """See Job.set()."""
        await self.job.aset(self, *args, **kwargs)

    async def ainvalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """See Job.invalidate()."""
        await self.job.ainvalidate(self, *args, **kwargs)

    async def adelete(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """See Job.delete()."""
        await self.job.adelete(self, *args, **kwargs)

    async def arefresh(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """See Job.refresh()."""
        return await self.job.arefresh(self, *args, **kwargs)

    async def araw_get(self, *args: P.args, **kwargs: P.kwargs) -> tuple[float, Any] | None:
        """See Job.raw_get()."""
        return await self.job.araw_get(self, *args, **kwargs)

    async def aexplain(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """See Job.explain()."""
        return await self.job.aexplain(self, *args, **kwargs)

    async def aget_many(self, calls: Iterable[Any]) -> list[Any]:
        """See Job.get_many()."""
        return await self.job.aget_many(_with_first(self, calls))

    def _rebuild(self, using: Mapping[str, Any] | None = None) -> tuple[Job, tuple[Any, ...]]:
        """Return the job and its first argument, for a worker."""
        return (self.job.using(**using) if using else self.job), (self,)


class BoundCachedFunction:
    """A cached method of one instance: as the :class:`CachedFunction`, with that argument given."""

    _SYNC = ("set", "invalidate", "delete", "refresh", "raw_get", "explain")
    _BOUND = frozenset({*_SYNC, *(f"a{name}" for name in _SYNC), "key"})

    def __init__(self, function: CachedFunction[Any, Any], instance: object) -> None:
        self.__wrapped__ = function
        self.__self__ = instance
        if iscoroutinefunction(function.fn):
            markcoroutinefunction(self)

    @property
    def __signature__(self) -> Signature:
        whole = signature(self.__wrapped__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(self.__self__, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.__wrapped__.fn.__name__)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.__wrapped__, name)
        return partial(attribute, self.__self__) if name in self._BOUND else attribute

    def get_many(self, calls: Iterable[Any]) -> list[Any]:
        """See Job.get_many()."""
        return self.__wrapped__.get_many(_with_first(self.__self__, calls))

    async def aget_many(self, calls: Iterable[Any]) -> list[Any]:
        """See Job.get_many()."""
        return await self.__wrapped__.aget_many(_with_first(self.__self__, calls))


def _with_first(first: object, calls: Iterable[Any]) -> list[Call]:
    wanted = [as_call(call) for call in calls]
    return [Call((first, *call.args), call.kwargs) for call in wanted]


@overload
def cacheback(fn: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cacheback(
    lifetime: Any = None,
    fetch_on_miss: bool | None = None,
    cache_alias: str | None = None,
    job_class: type[FunctionJob] | None = None,
    task_options: Any = None,
    **options: Any,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]: ...
def cacheback(
    lifetime: Any = None,
    fetch_on_miss: bool | None = None,
    cache_alias: str | None = None,
    job_class: type[FunctionJob] | None = None,
    task_options: Any = None,
    **options: Any,
) -> Any:
    """Cache what a function returns: ``@cacheback`` or ``@cacheback(lifetime="20 minutes")``.

    Works on plain and ``async`` functions, static methods, and methods of classes whose
    instances can be part of a key.

    :param job_class: a subclass of :class:`FunctionJob` to use.
    :param options: every option of a job, and ``tags``: a list, or a function of the arguments.
    :raises JobNotImportable: for a lambda or a nested function, unless the queue that
        ``CACHEBACK_TASK_QUEUE`` names runs refreshes in this process.
    """
    if callable(lifetime) or isinstance(lifetime, (staticmethod, classmethod)):
        return decorate(lifetime, FunctionJob())
    make = partial(
        job_class or FunctionJob,
        lifetime=lifetime,
        fetch_on_miss=fetch_on_miss,
        cache_alias=cache_alias,
        task_options=task_options,
        **options,
    )
    job = make()
    return lambda fn: decorate(fn, job)


def decorate(fn: Any, job: FunctionJob) -> Any:
    """Return ``fn`` cached by ``job``; a static method stays one."""
    if isinstance(fn, staticmethod):
        return staticmethod(decorate(fn.__func__, job))
    if isinstance(fn, classmethod):
        raise TypeError("a class is no part of a key: cache a plain function or a static method")
    path = registry.path_of(fn)
    if not registry.is_importable(path) and not _runs_in_process():
        raise JobNotImportable(
            f"{path} cannot be imported by a worker: define it at the top of a module, or set"
            " CACHEBACK_TASK_QUEUE to a queue that runs in this process ('threads', 'sync')"
        )
    return CachedFunction(fn, job)


def _runs_in_process() -> bool:
    try:
        return queue_class(conf.task_queue).in_process
    except ImproperlyConfigured:  # no settings yet, or not these: then the default, Celery
        return False
