"""Jobs that need no subclass: functions, and reads through the ORM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet

from .base import Job
from .durations import Duration
from .engine import codec, keys, rows
from .engine.registry import dotted, path_of
from .engine.signature import binder, parameters
from .engine.tallies import Tally, tallies
from .options import OPTIONS, without_task_options

Options = Mapping[str, Any]
Tags = Iterable[str] | Callable[..., Iterable[str]]


def given_options(
    lifetime: Duration | None,
    fetch_on_miss: bool | None,
    cache_alias: str | None,
    task_options: Options | None,
    others: Options,
) -> dict[str, Any]:
    """Return the options that are not None; the first four may come by position."""
    if not others and (lifetime, fetch_on_miss, cache_alias, task_options) == (None,) * 4:
        return {}  # as for most query set jobs, which are made anew for each read
    options = {
        "lifetime": lifetime,
        "fetch_on_miss": fetch_on_miss,
        "cache_alias": cache_alias,
        "task_options": task_options,
        **others,
    }
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Target:
    """A function, and how its calls are keyed."""

    fn: Callable[..., Any]
    path: str
    bind: Callable[..., tuple[Any, ...]]
    names: tuple[str, ...]

    def key(self, version: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the cache key of a call."""
        bound = self.bind(*args, **kwargs)
        return keys.make(keys.versioned(self.path, version), bound, self.names)


@lru_cache(maxsize=1024)
def target_of(fn: Any) -> Target:
    """Return the target for a function, or for what ``@cacheback`` made of one."""
    plain = getattr(fn, "fn", fn)
    return Target(plain, dotted(plain), binder(plain), parameters(plain))


class _TallyByFunction(Tally):
    """Of a job for any function: each hit looks for the tally of its own."""

    __slots__ = ()

    def wake(self, args: tuple[Any, ...] = ()) -> count[int]:
        tally = tallies.of(target_of(args[0]).path)
        return tally.live or tally.wake()


class FunctionJob(Job):
    """Caches what functions return; the function is the first argument of every call.

    ``@cacheback`` makes one for each function that it decorates.
    """

    def __init__(
        self,
        lifetime: Duration | None = None,
        fetch_on_miss: bool | None = None,
        cache_alias: str | None = None,
        task_options: Mapping[str, Any] | None = None,
        *,
        tags: Tags = (),
        **options: Any,
    ) -> None:
        """
        :param tags: the tags of every call, or a function that gives them for its arguments.
        :param options: see :class:`~cacheback_app.options.Options`; None stands for the default.
        """
        given = given_options(lifetime, fetch_on_miss, cache_alias, task_options, options)
        self._set_options(**given)
        self._tags = tags
        self._has_tags = bool(tags) or type(self).tags is not FunctionJob.tags
        self._known_key = _function_keys() if type(self).key is FunctionJob.key else keys.no_memory

    @classmethod
    def _own_tally(cls) -> Tally:
        return _TallyByFunction()

    def key(self, fn: Any, /, *args: Any, **kwargs: Any) -> str:
        """Return the cache key of a call of ``fn``."""
        return target_of(fn).key(self.version, args, kwargs)

    def fetch(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return target_of(fn).fn(*args, **kwargs)

    def tags(self, fn: Any, /, *args: Any, **kwargs: Any) -> Iterable[str]:
        return self._tags(*args, **kwargs) if callable(self._tags) else self._tags

    def _path_for(self, args: tuple[Any, ...]) -> str:
        return target_of(args[0]).path

    def _bound_fetch(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        if type(self).fetch is not FunctionJob.fetch:
            return self.fetch, args, kwargs
        return target_of(args[0]).fn, args[1:], kwargs

    def _describe(self, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        return path_of(target_of(args[0]).fn), args[1:]

    def _rebuilding(self, args: tuple[Any, ...]) -> codec.Json:
        if getattr(args[0], "job", self) is self:
            return self._used
        using = {name: self.__dict__[name] for name in self.__dict__.keys() & OPTIONS}
        return codec.dump({"using": without_task_options(using)}, "options")


def _function_keys() -> Callable[..., str]:
    def make_key(version: Any, _: None, fn: Any, *args: Any, **kwargs: Any) -> str:
        return target_of(fn).key(version, args, kwargs)

    return keys.remembered(make_key, skip=3)


@lru_cache(maxsize=256)
def _model_keys(cls: type[QuerySetJob]) -> Callable[..., str]:
    own = cls.key, cls._key_prefix, cls._identity
    if own != (Job.key, Job._key_prefix, QuerySetJob._identity):
        return keys.no_memory

    def make_key(version: Any, model: type[Model], *args: Any, **kwargs: Any) -> str:
        path = keys.versioned(cls._job_path, version)
        prefix = keys.make(path, (model._meta.label,), ("model",))
        return keys.make(prefix, cls._fetch_bind(*args, **kwargs), cls._fetch_names)

    return keys.remembered(make_key, skip=2)


class QuerySetJob(Job):
    """A read through the ORM, of one model.

    What is cached are field values by name, not pickled instances: an entry from before a
    migration that dropped a field is read, one from before a new field is a miss.
    """

    _gone_errors = (ObjectDoesNotExist,)

    def __init__(
        self,
        model: type[Model] | str,
        lifetime: Duration | None = None,
        fetch_on_miss: bool | None = None,
        cache_alias: str | None = None,
        task_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """
        :param model: the model's class, or its label (``"auth.User"``).
        :param options: see :class:`~cacheback_app.options.Options`; None stands for the default.
        """
        self.model = apps.get_model(model) if isinstance(model, str) else model
        self._given = given_options(lifetime, fetch_on_miss, cache_alias, task_options, options)
        if self._given:
            self._set_options(**self._given)
        self._known_key = _model_keys(type(self))  # type: ignore[arg-type]
        self._known_as = self.model

    def get_init_args(self) -> tuple[Any, ...]:
        return (self.model._meta.label,)

    def get_init_kwargs(self) -> dict[str, Any]:
        return without_task_options(self._given)

    def _identity(self) -> tuple[Any, ...]:
        return self.get_init_args()

    def _bound_fetch(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        fetch = self.fetch if iscoroutinefunction(self.fetch) else self._evaluated
        return fetch, args, kwargs

    def _evaluated(self, *args: Any, **kwargs: Any) -> Any:
        value = self.fetch(*args, **kwargs)
        return list(value) if isinstance(value, QuerySet) else value

    def _to_cache(self, value: Any) -> Any:
        value = list(value) if isinstance(value, QuerySet) else value
        if isinstance(value, self.model):
            return "one", rows.of([value])
        if isinstance(value, list) and value and all(type(item) is self.model for item in value):
            return "many", rows.of(value)
        return "other", value

    def _from_cache(self, stored: Any) -> Any:
        form, content = stored
        if form == "other":
            return content
        instances = rows.instances(self.model, *content)
        return instances if form == "many" else instances[0]


class QuerySetGetJob(QuerySetJob):
    """``QuerySetGetJob(User).get(username="alice")``: one instance, or ``DoesNotExist``."""

    def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Return the one instance that matches.

        :raises ObjectDoesNotExist: the model's own; it is not cached.
        """
        return self.model._default_manager.get(*args, **kwargs)


class QuerySetFilterJob(QuerySetJob):
    """``QuerySetFilterJob(User).get(is_staff=True)``: a list of instances."""

    def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Return the list of instances that match."""
        return list(self.model._default_manager.filter(*args, **kwargs))

    def empty(self) -> list[Any]:
        """Return a list without instances."""
        return []
