"""Jobs and calls as a URL or a form names them.

What they name is looked up among the jobs that were imported. Nothing is imported because somebody
asked for it, neither a job nor the class of an argument.
"""

from __future__ import annotations

import logging
import sys
from functools import lru_cache
from inspect import Parameter, Signature, signature
from typing import Any

from cacheback_app import catalogue
from cacheback_app.base import Job
from cacheback_app.catalogue import BadArguments, KnownCall, KnownJob
from cacheback_app.engine.slot import Call
from cacheback_app.jobs import QuerySetJob
from cacheback_app.options import OPTIONS

logger = logging.getLogger("cacheback")

LONGEST_TEXT = 20_000
"""Characters of JSON that are read at most."""


class BadField(ValueError):
    """What is wrong with one of the texts that name a call.

    :ivar field: "args", "kwargs" or "init".
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def known_jobs() -> dict[str, KnownJob]:
    """Return all jobs of the site that are known in this process, by dotted name."""
    _discover()
    return catalogue.known_jobs()


@lru_cache(maxsize=1)
def _discover() -> None:
    try:
        catalogue.discover()
    except Exception:  # a module of the site; the jobs that are known can be shown without it
        logger.warning("The panel could not import all jobs", exc_info=True)


def named(job: KnownJob, args: str, kwargs: str, init: str = "") -> KnownCall:
    """Return the call of ``job`` that three JSON texts name; each may be empty.

    :param args: a list.
    :param kwargs: an object.
    :param init: a list or an object: the arguments of the job's ``__init__``.
    :raises BadField: for arguments that are no JSON, that the job would not take, or that have no
        key.
    """
    call = Call(_parsed("args", args).args, _parsed("kwargs", kwargs).kwargs)
    built = _parsed("init", init)
    try:
        job.job(*built.args, **built.kwargs)
    except Exception as exc:  # the job's own __init__ may raise anything
        raise BadField("init", _told(exc)) from exc
    try:
        return job.call(call, built)
    except Exception as exc:  # and so may its key() and prepare_args()
        raise BadField("args", _told(exc)) from exc


def _parsed(field: str, text: str) -> Call:
    try:
        match field:
            case "args":
                call = catalogue.parse_call(text, "", allow=_is_loaded)
            case "kwargs":
                call = catalogue.parse_call("", text, allow=_is_loaded)
            case _:
                call = catalogue.parse_line(text or "[]", allow=_is_loaded)
    except Exception as exc:  # arguments may be rows, of a database that can't be asked
        raise BadField(field, _told(exc)) from exc
    return call


def _is_loaded(tag: str, parts: Any) -> bool:
    """Return whether reading a tagged argument imports nothing."""
    if tag not in ("enum", "dataclass"):
        return True
    path = parts[0] if isinstance(parts, list) and parts else ""
    return isinstance(path, str) and path.partition(":")[0] in sys.modules


def _told(exc: Exception) -> str:
    is_ours = isinstance(exc, (BadArguments, TypeError))
    return str(exc) if is_ours else f"{type(exc).__name__}: {exc}"


def is_built_with_arguments(job: KnownJob) -> bool:
    """Return whether jobs of this class are told apart by the arguments of their ``__init__``."""
    return isinstance(job.target, type) and job.target.__init__ is not Job.__init__


def reads_any_model(cls: type[Job]) -> bool:
    """Return whether its jobs read whichever model and rows their arguments name."""
    return issubclass(cls, QuerySetJob)


def options_of(job: KnownJob) -> dict[str, Any]:
    """Return the options of a job by name, in alphabetical order."""
    holder = job.target if isinstance(job.target, type) else job.target.job
    return {name: getattr(holder, name) for name in sorted(OPTIONS)}


def parameters_of(job: KnownJob) -> str:
    """Return the parameters that its calls have, as in its source: ``(key, deep=False)``."""
    is_class = isinstance(job.target, type)
    function = job.target.fetch if isinstance(job.target, type) else job.target.fn
    try:
        found = signature(function)
    except (TypeError, ValueError):
        return "(...)"
    every: list[Parameter] = list(found.parameters.values())[is_class:]
    return str(found.replace(parameters=every, return_annotation=Signature.empty))
