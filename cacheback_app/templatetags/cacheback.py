"""``{% cacheback "shop.fragments.bestsellers" shop.pk %}``: a job's value in a template.

A fragment (see ``cacheback_app.fragments``) is inserted as it is, any other job's value as
``{{ value }}`` would be. ``{% cacheback "shop.jobs.Report" 2026 as report %}`` stores it in a
variable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from django import template
from django.db import connections
from django.template.base import FilterExpression, Parser, Token, render_value_in_context
from django.template.base import token_kwargs as parse_keyword

from cacheback_app.engine import registry
from cacheback_app.engine.forks import in_child
from cacheback_app.exceptions import MalformedCall
from cacheback_app.serving import Readable, job_of

register = template.Library()

_QUOTES = "\"'"


class CachebackNode(template.Node):
    """Inserts a value, or stores it."""

    def __init__(
        self,
        job: Readable,
        args: Sequence[FilterExpression],
        kwargs: Mapping[str, FilterExpression],
        name: str | None,
    ) -> None:
        self._job = job
        self._args = args
        self._kwargs = kwargs
        self._name = name

    def render(self, context: template.Context) -> str:
        """Return what to insert."""
        args = [_argument(each, context) for each in self._args]
        kwargs = {name: _argument(each, context) for name, each in self._kwargs.items()}
        value = _read(self._job, args, kwargs)
        if self._name is not None:
            context[self._name] = value
            return ""
        return str(render_value_in_context(value, context))


@register.tag
def cacheback(parser: Parser, token: Token) -> CachebackNode:
    """Insert the value of a job, or store it: ``{% cacheback "path" arg name=arg as var %}``.

    The job's path is part of the template, never a variable: what a page shows is decided by who
    wrote it.
    """
    tag, *bits = token.split_contents()
    name = None
    if len(bits) >= 3 and bits[-2] == "as":
        *bits, _, name = bits
    if bits and bits[-1] == "as":
        raise template.TemplateSyntaxError(f"{{% {tag} %}} needs a variable's name after 'as'")
    if not bits or bits[0][0] not in _QUOTES or bits[0][0] != bits[0][-1]:
        raise template.TemplateSyntaxError(f"{{% {tag} %}} needs the quoted path of a job first")
    args: list[FilterExpression] = []
    kwargs: dict[str, FilterExpression] = {}
    for bit in bits[1:]:
        named = parse_keyword([bit], parser)
        if named.keys() & kwargs.keys():
            raise template.TemplateSyntaxError(f"{{% {tag} %}} got {bit!r} twice")
        if kwargs and not named:
            raise template.TemplateSyntaxError(f"{{% {tag} %}}: {bit!r} comes after a keyword")
        kwargs.update(named)
        args += [] if named else [parser.compile_filter(bit)]
    return CachebackNode(_find(bits[0][1:-1]), args, kwargs, name)


def _find(path: str) -> Readable:
    """Return the job at a dotted path, importing its module if need be."""
    try:
        return registry.find_dotted(path)
    except MalformedCall as exc:
        raise template.TemplateSyntaxError(f"{{% cacheback %}}: {exc}") from exc


def _argument(expression: FilterExpression, context: template.Context) -> Any:
    value = expression.resolve(context)
    # Filters and literals give Django's safe text, which is the same text to a job.
    return str.__str__(value) if isinstance(value, str) else value


def _read(readable: Readable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    job, first = job_of(readable)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return job.get(*first, *args, **kwargs)
    # Rendering holds the event loop up, so whoever fetches in it cannot go on: do not wait for it.
    # And what reads the database may not run here at all, hence the thread.
    impatient = job.using(wait_timeout=0)

    def read() -> Any:
        try:
            return impatient.get(*first, *args, **kwargs)
        finally:
            connections.close_all()

    return _threads().submit(read).result()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Kept, and with them their connections to the cache. A loop waits for one at a time.
    return ThreadPoolExecutor(4, thread_name_prefix="cacheback-tag")


in_child(_threads.cache_clear)  # which has the parent's pool, and none of its threads
