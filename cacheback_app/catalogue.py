"""The site's jobs by name, and their calls by JSON: what commands and panel work on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from django.urls import get_resolver
from django.utils.module_loading import autodiscover_modules

from .conf import conf
from .engine import codec, outages, registry
from .engine.explaining import Explanation
from .engine.slot import Call
from .exceptions import CachebackError, MalformedCall
from .jobs import FunctionJob

if TYPE_CHECKING:
    from .base import Job

MODULES = ("jobs", "tasks", "fragments")
"""The modules of installed apps in which jobs are looked for, besides what views import."""


class UnknownJob(CachebackError, LookupError):
    """There is no job of that name."""


class BadArguments(CachebackError, ValueError):
    """Arguments that are not JSON, or that the job's ``fetch`` does not take."""


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job of the site: a class, or a decorated function."""

    name: str
    """Dotted, as in ``shop.jobs.Report``."""
    target: registry.Target

    @property
    def kind(self) -> str:
        """What it is: "class" or "function"."""
        return "class" if isinstance(self.target, type) else "function"

    @property
    def doc(self) -> str:
        """The first line of its docstring."""
        source = self.target if isinstance(self.target, type) else self.target.fn
        return (source.__doc__ or "").strip().partition("\n")[0]

    def job(self, *args: Any, **kwargs: Any) -> Job:
        """Return the job, built with the arguments that its ``__init__`` takes.

        :raises BadArguments: when it does not take these.
        """
        if not isinstance(self.target, type):
            return self.target.job
        try:
            return self.target(*args, **kwargs)
        except Exception as exc:  # its own code may raise anything
            raise BadArguments(f"{self.name} cannot be built like this: {_told(exc)}") from exc

    def call(self, call: Call, init: Call = Call()) -> KnownCall:  # noqa: B008 - immutable
        """Return one call of the job.

        :param init: the arguments of the job's own ``__init__``.
        :raises BadArguments: when the job does not take them.
        """
        job = self.job(*init.args, **init.kwargs)
        first = () if isinstance(self.target, type) else (self.target,)
        return KnownCall(self.name, job, Call((*first, *call.args), call.kwargs))


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call of a job that can be looked at and acted on.

    Where a reader would go on without a cache that is down, who acts is told: each action raises
    ``CacheUnavailable`` then.
    """

    name: str
    job: Job
    call: Call
    key: str = field(init=False)
    """The cache key; made at once, so that arguments that do not fit are told of at once."""

    def __post_init__(self) -> None:
        try:
            slot = self.job._slot_for(*self.call)
        except Exception as exc:  # the job's key() and prepare_args() may raise anything
            raise BadArguments(f"{self.name} does not take these arguments: {_told(exc)}") from exc
        object.__setattr__(self, "key", slot.key)

    def explain(self) -> Explanation:
        """See Job.explain()."""
        return self.job.explain(*self.call.args, **self.call.kwargs)

    def peek(self) -> tuple[float, Any] | None:
        """See Job.raw_get()."""
        return self.job.raw_get(*self.call.args, **self.call.kwargs)

    def refresh(self) -> Any:
        """See Job.refresh()."""
        with outages.told():
            return self.job.refresh(*self.call.args, **self.call.kwargs)

    def async_refresh(self) -> None:
        """See Job.async_refresh()."""
        with outages.told():
            self.job.async_refresh(*self.call.args, **self.call.kwargs)

    def invalidate(self) -> None:
        """See Job.invalidate()."""
        with outages.told():
            self.job.invalidate(*self.call.args, **self.call.kwargs)

    def delete(self) -> None:
        """See Job.delete()."""
        with outages.told():
            self.job.delete(*self.call.args, **self.call.kwargs)


def _told(exc: Exception) -> str:
    is_about_arguments = isinstance(exc, (TypeError, ValueError))
    return str(exc) if is_about_arguments else f"{type(exc).__name__}: {exc}"


def discover() -> None:
    """Import the modules where jobs are: ``jobs``, ``tasks`` and ``fragments`` of each installed
    app, and what the URL configuration imports."""
    autodiscover_modules(*MODULES)
    if conf.has_urls:
        _ = get_resolver().url_patterns


def known_jobs() -> dict[str, KnownJob]:
    """Return all jobs that were imported, by dotted name. See :func:`discover`."""
    return {
        path.replace(":", "."): KnownJob(path.replace(":", "."), target)
        for path, target in registry.jobs().items()
        if _is_job(target)
    }


def find_job(name: str) -> KnownJob:
    """Return the job ``name``, dotted or as ``module:qualname``, importing its module if need be.

    :raises UnknownJob: when there is none.
    """
    name = name.replace(":", ".")
    if name not in known_jobs():
        _import(name)
    try:
        return known_jobs()[name]
    except KeyError:
        raise UnknownJob(
            f"there is no job {name!r}; 'manage.py cacheback list' shows all"
        ) from None


def _import(name: str) -> None:
    try:
        registry.find_dotted(name)
    except MalformedCall as exc:
        if exc.__cause__ is not None:
            raise UnknownJob(str(exc)) from exc


def _is_job(target: registry.Target) -> bool:
    """Return whether ``target`` can be called by name: a base class without ``fetch`` cannot, nor
    one whose first argument is a function."""
    from .base import Job

    if not isinstance(target, type):
        return True
    return target.fetch is not Job.fetch and not issubclass(target, FunctionJob)


# Arguments as text

Allow: TypeAlias = Callable[[str, Any], bool]


def _any_tag(tag: str, content: Any) -> bool:
    return True


def _check(value: Any, allow: Allow) -> None:
    """Raise unless ``allow`` allows all tags in ``value``."""
    if isinstance(value, list):
        for item in value:
            _check(item, allow)
    elif isinstance(value, dict):
        if isinstance(tag := value.get("t"), str) and not allow(tag, value.get("v")):
            raise BadArguments(f"values of the kind {tag!r} can't be given here")
        for item in value.values():
            _check(item, allow)


def parse_call(args: str = "", kwargs: str = "", *, allow: Allow = _any_tag) -> Call:
    """Return the call that two JSON texts tell of: a list of arguments, an object of keywords.

    What JSON has no form for is written as in messages: ``{"t": "date", "v": "2026-01-31"}``.

    :param allow: asked for each tag and its content; where it says no, the arguments are bad.
    :raises BadArguments: for anything else.
    """
    positional = _parsed(args, "the arguments") if args.strip() else []
    named = _parsed(kwargs, "the keyword arguments") if kwargs.strip() else {}
    if not isinstance(positional, list):
        raise BadArguments("the arguments must be a JSON list, such as '[\"2026\", 3]'")
    if not isinstance(named, dict):
        raise BadArguments("the keyword arguments must be a JSON object, as '{\"deep\": true}'")
    return Call(
        tuple(_untagged(value, allow) for value in positional),
        {name: _untagged(value, allow) for name, value in named.items()},
    )


def parse_line(line: str, *, allow: Allow = _any_tag) -> Call:
    """Return the call that one line of JSON tells of: a list of arguments, or an object of
    keywords, or ``{"args": [...], "kwargs": {...}}``.

    :raises BadArguments: for anything else.
    """
    parsed = _parsed(line, "a line")
    if isinstance(parsed, dict) and parsed and parsed.keys() <= {"args", "kwargs"}:
        parts = (json.dumps(parsed.get("args", [])), json.dumps(parsed.get("kwargs", {})))
        return parse_call(*parts, allow=allow)
    if isinstance(parsed, dict):
        return parse_call("", line, allow=allow)
    return parse_call(line, allow=allow)


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        hint = 'text has double quotes in JSON, and a list brackets: ["text", 3]'
        raise BadArguments(f"{what} cannot be read as JSON: {exc}; {hint}") from exc


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _untagged(value: Any, allow: Allow) -> Any:
    if isinstance(value, list):
        return [_untagged(item, allow) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"t", "v"} and isinstance(value["t"], str):
        _check(value, allow)
        try:
            return codec.load(value)
        except (TypeError, ValueError, LookupError) as exc:
            raise BadArguments(f"{json.dumps(value)[:200]} is no value: {exc}") from exc
    return {name: _untagged(item, allow) for name, item in value.items()}
