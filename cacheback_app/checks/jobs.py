"""Whether the site's jobs can do what their options say."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from inspect import Parameter, signature
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.base import Job
from cacheback_app.catalogue import discover, known_jobs
from cacheback_app.conf import conf
from cacheback_app.durations import seconds
from cacheback_app.engine import registry
from cacheback_app.options import DURATIONS
from cacheback_app.queues import BaseQueue, get_queue

from . import caches


def check() -> Iterator[CheckMessage]:
    """Check every job of the site."""
    try:
        discover()
    except Exception as exc:  # a module of the site may raise anything on its import
        yield Error(
            f"The modules with the site's jobs cannot be imported: {type(exc).__name__}: {exc}",
            hint="Workers could not import them either.",
            id="cacheback.E006",
        )
    queue, jobs = _queue(), known_jobs()
    if queue is not None and jobs and conf.enabled:
        yield from queue.check_site()
    for known in jobs.values():
        options = known.target if isinstance(known.target, type) else known.target.job
        if options.cache_alias not in (None, conf.cache_alias):
            option = f"{known.name}.cache_alias"
            yield from caches.check(options.cache_alias, option, known.target)
        wrong = list(_wrong_values(known.target, known.name, options))
        yield from wrong
        if not wrong:
            yield from _lifetimes(known.target, known.name, options)
            if queue is not None:
                yield from queue.check(known.name, options)
        if isinstance(known.target, type):
            yield from _shared_keys(known.target, known.name)
    if queue is not None and not queue.in_process:
        yield from _out_of_reach()


def _queue() -> BaseQueue | None:
    try:
        return get_queue()
    except ImproperlyConfigured:
        return None  # E001 tells of it


def _wrong_values(target: Any, name: str, options: Any) -> Iterator[CheckMessage]:
    wrong = [
        f"{option} = {getattr(options, option)!r} ({exc})"
        for option in sorted(DURATIONS)
        if (exc := _refusal(option, getattr(options, option))) is not None
    ]
    if options.on_dispatch_error not in ("fetch", "serve", "raise"):
        wrong.append(f"on_dispatch_error = {options.on_dispatch_error!r}")
    if not _is_amount(options.early_refresh):
        wrong.append(f"early_refresh = {options.early_refresh!r}")
    if not _is_amount(options.jitter, at_most=1):
        wrong.append(f"jitter = {options.jitter!r} (it is a fraction of lifetime)")
    if wrong:
        yield Error(
            f"{name} has options that mean nothing: {', '.join(wrong)}.",
            hint='Durations are seconds, timedelta, or text like "10 minutes"; see docs/jobs.md.',
            obj=target,
            id="cacheback.E003",
        )


_MAY_BE_NONE = {"cache_ttl", "wait_timeout", "fetch_on_stale_threshold"}


def _refusal(option: str, duration: Any) -> Exception | None:
    if duration is None and option not in _MAY_BE_NONE:
        return TypeError("there is no such thing as never")
    try:
        if seconds(duration) == 0 and option == "refresh_timeout":
            return ValueError("a claim that lasts no time keeps nobody away")
    except (TypeError, ValueError) as exc:
        return exc
    return None


def _is_amount(number: Any, at_most: float = math.inf) -> bool:
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return number is None or (is_number and 0 <= number <= at_most)


def _lifetimes(target: Any, name: str, options: Any) -> Iterator[CheckMessage]:
    ttl = seconds(options.cache_ttl)
    if ttl is not None and ttl <= seconds(options.lifetime):
        yield Warning(
            f"{name} is never served stale: its cache_ttl ({options.cache_ttl}) is not longer"
            f" than its lifetime ({options.lifetime}), so that readers wait for every fetch.",
            hint="Let cache_ttl be several times the lifetime.",
            obj=target,
            id="cacheback.W003",
        )


def _shared_keys(cls: type[Job], name: str) -> Iterator[CheckMessage]:
    """Find a job made with arguments that are no part of its keys."""
    if cls._has_identity or cls.key is not Job.key or cls.__init__ is object.__init__:
        return
    kinds = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    taken = [
        parameter
        for parameter in list(signature(cls.__init__).parameters.values())[1:]
        if parameter.kind not in kinds
    ]
    if taken:
        names = ", ".join(parameter.name for parameter in taken)
        yield Warning(
            f"{name} is made with arguments ({names}) that are no part of its keys: jobs made with"
            " different ones share their values, and workers make it without.",
            hint="Return them from get_init_args() or get_init_kwargs().",
            obj=cls,
            id="cacheback.W006",
        )


def _out_of_reach() -> Iterator[CheckMessage]:
    """Find jobs that a worker of another process could not import."""
    for path, target in registry.jobs().items():
        if not _is_there(path):
            yield _not_importable(registry.dotted(_named(target)), target)
    for cls in _subclasses(Job):
        if not registry.is_importable(registry.path_of(cls)):
            yield _not_importable(registry.dotted(cls), cls)


def _not_importable(name: str, target: Any) -> CheckMessage:
    queue = conf.task_queue
    return Warning(
        f"Workers of the queue {queue!r} cannot import {name}: it will never be refreshed.",
        hint="Define it at the top of a module; or refresh in this process, with 'threads'.",
        obj=target,
        id="cacheback.W005",
    )


def _named(target: Any) -> Any:
    return target if isinstance(target, type) else target.fn


def _is_there(path: str) -> bool:
    """Return whether importing the module again, elsewhere, would make what is at ``path``."""
    module, _, qualname = path.partition(":")
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found is not None


def _subclasses(cls: type[Job]) -> Iterator[type[Job]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)
