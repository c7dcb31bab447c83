"""Parts of pages that are rendered once, and served while they are rendered anew.

::

    # shop/fragments.py
    @cacheback_fragment("shop/_bestsellers.html", lifetime="10m")
    def bestsellers(shop_id):
        return {"books": Book.objects.filter(shop=shop_id).order_by("-sold")[:10]}

    {% load cacheback %}{% cacheback "shop.fragments.bestsellers" shop.pk %}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import SafeString

from .conf import conf
from .decorators import CachedFunction, decorate
from .durations import Duration
from .engine.slot import Call
from .jobs import FunctionJob

__all__ = ["FragmentJob", "cacheback_fragment"]

P = ParamSpec("P")


class FragmentJob(FunctionJob):
    """Caches HTML: what it returns is not escaped again."""

    def empty(self) -> str:
        """Return nothing to insert, while the fragment is made elsewhere."""
        return ""

    def process_result(
        self, result: Any, call: Call, cache_status: int, sync_fetch: bool | None = None
    ) -> Any:
        """Return the HTML as safe; a cache that serialises to JSON gives plain text back."""
        return SafeString(result) if isinstance(result, str) else result


def cacheback_fragment(
    template_name: str, lifetime: Duration | None = None, **options: Any
) -> Callable[[Callable[P, Mapping[str, Any]]], CachedFunction[P, str]]:
    """Decorate a function, sync or async, that returns a template's context: the result returns
    the template rendered with it, cached.

    The template gets that context and nothing else, because a worker renders it: no request, no
    context processors, and the site's own language and time zone, whoever comes first. What it
    needs of these is an argument.

    :param options: see ``@cacheback``.
    :raises JobNotImportable: as ``@cacheback`` does.
    """
    if callable(template_name):
        raise TypeError("name the template: @cacheback_fragment('shop/_bestsellers.html')")
    job = FragmentJob(lifetime, **options)
    return lambda fn: decorate(_renderer(fn, template_name), job)


def _renderer(fn: Any, template_name: str) -> Any:
    """Return a function with the name and parameters of ``fn`` that renders what it returns."""
    if isinstance(fn, staticmethod):
        return staticmethod(_renderer(fn.__func__, template_name))

    async def render_async(*args: Any, **kwargs: Any) -> str:
        with _for_everybody():
            context = await fn(*args, **kwargs)
            return _plain(await sync_to_async(render_to_string)(template_name, context))

    def render(*args: Any, **kwargs: Any) -> str:
        with _for_everybody():
            return _plain(render_to_string(template_name, fn(*args, **kwargs)))

    return wraps(fn)(render_async if iscoroutinefunction(fn) else render)


@contextmanager
def _for_everybody() -> Iterator[None]:
    """Take no notice of the visitor who happens to come first: work as a worker would."""
    with translation.override(conf.language), timezone.override(None):
        yield


def _plain(html: str) -> str:
    """Return ``html`` as a plain ``str``, for caches that do not know Django's safe one."""
    return str.__str__(html)
