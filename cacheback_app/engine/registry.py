"""Every job that this process has imported, by path. Workers run what is in here, nothing else."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from cacheback_app.exceptions import MalformedCall

if TYPE_CHECKING:
    from cacheback_app.base import Job
    from cacheback_app.decorators import CachedFunction

Target: TypeAlias = "type[Job] | CachedFunction[..., Any]"
"""A job class or a decorated function: what a worker may run."""

_targets: dict[str, Target] = {}


def path_of(target: Any) -> str:
    """Return ``module:qualname`` of a class or function."""
    return f"{target.__module__}:{target.__qualname__}"


def dotted(target: Any) -> str:
    """Return ``module.qualname`` of a class or function, as people write it."""
    return path_of(target).replace(":", ".")


def is_importable(path: str) -> bool:
    """Return whether another process could find what is at ``path``."""
    module, _, qualname = path.partition(":")
    return module != "__main__" and "<" not in qualname


def register(path: str, target: Target) -> None:
    """Make ``target`` known as ``path``; the latest definition counts, as it does in a module."""
    if is_importable(path):
        _targets[path] = target


def is_known(path: str, job: Job) -> bool:
    """Return whether a worker that looks for ``path`` finds what ``job`` is."""
    target = _targets.get(path)
    if target is None or isinstance(target, type):
        return target is not None
    return type(target.job) is type(job)


def find(path: str) -> Target:
    """Return the job class or decorated function at ``path``, importing its module if need be.

    :raises MalformedCall: when there is no such job, whatever else the path may name.
    """
    if path not in _targets:
        module = path.partition(":")[0]
        if module in sys.modules:
            raise MalformedCall(f"{path} is not a job")
        try:
            import_module(module)
        except (Exception, SystemExit) as exc:  # a module may raise anything on its import
            raise MalformedCall(f"{module} cannot be imported: {exc}") from exc
    if path not in _targets:
        raise MalformedCall(f"{path} is not a job")
    return _targets[path]


def find_dotted(name: str) -> Target:
    """Return the job that people write as ``name``, with dots only; see :func:`find`.

    :raises MalformedCall: when there is no such job. Its cause is why a module that is there cannot
        be imported.
    """
    parts = name.split(".")
    # "shop.jobs.Report" is most likely Report of shop.jobs, but may be jobs.Report of shop.
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            return find(f"{module}:{'.'.join(parts[end:])}")
        except MalformedCall as exc:
            if exc.__cause__ is not None and not _is_missing(exc.__cause__, module):
                raise
    raise MalformedCall(f"{name!r} is not a job")


def _is_missing(exc: BaseException, module: str) -> bool:
    """Return whether importing failed because there is no such module, nor any above it."""
    if not isinstance(exc, ModuleNotFoundError) or exc.name is None:
        return isinstance(exc, (ValueError, TypeError))  # names that could not be a module's
    return f"{module}.".startswith(f"{exc.name}.")


def jobs() -> dict[str, Target]:
    """Return all known jobs by path."""
    return dict(sorted(_targets.items()))
