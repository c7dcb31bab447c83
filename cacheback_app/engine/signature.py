"""Calls as canonical tuples: however a call is written, its bound values are the same.

``inspect.Signature.bind`` does this too, at twenty times the price of a call; every cached read
pays it, so the binding is left to the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_STARS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
_ANYTHING = Signature(
    [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
)


def binder(fn: Callable[..., Any], skip_first: bool = False) -> Callable[..., tuple[Any, ...]]:
    """Return a function with the parameters of ``fn`` that returns what they are bound to.

    The tuple has one value per parameter, in their order and with defaults applied; ``*args`` is
    one tuple and ``**kwargs`` one dict in it. A call that ``fn`` would refuse raises the
    interpreter's own ``TypeError``, under the name of ``fn``.

    :param skip_first: leave out ``self``, which the caller does not pass.
    """
    found = _signature(fn, skip_first)
    values = "".join(f"{name}," for name in found.parameters)
    # Only identifiers are compiled; defaults stay the objects that they are.
    bind = eval(f"lambda {_bare(found)}: ({values})", {})  # noqa: S307
    bind.__defaults__ = tuple(_defaults(found, *_POSITIONAL).values())
    bind.__kwdefaults__ = _defaults(found, Parameter.KEYWORD_ONLY)
    bind.__name__ = getattr(fn, "__name__", type(fn).__name__)
    bind.__qualname__ = getattr(fn, "__qualname__", bind.__name__)
    bound: Callable[..., tuple[Any, ...]] = bind
    return bound


def parameters(fn: Callable[..., Any], skip_first: bool = False) -> tuple[str, ...]:
    """Return the names of what ``binder(fn, skip_first)`` returns, in the same order, with the
    stars of ``*args`` and ``**kwargs``."""
    found = _signature(fn, skip_first).parameters.values()
    return tuple(_STARS.get(parameter.kind, "") + parameter.name for parameter in found)


def _signature(fn: Callable[..., Any], skip_first: bool) -> Signature:
    """Return the signature of ``fn``; one that takes anything for built-ins that have none."""
    try:
        found = signature(fn)
    except ValueError:
        return _ANYTHING
    every = list(found.parameters.values())
    # A method written as ``def fetch(*args)`` has its self among them.
    if skip_first and every and every[0].kind in _POSITIONAL:
        return found.replace(parameters=every[1:])
    return found


def _bare(found: Signature) -> str:
    """Return ``a, b, /, c, *args, d, **kwargs``: the parameters without defaults and types."""
    bare = [
        parameter.replace(default=Parameter.empty, annotation=Parameter.empty)
        for parameter in found.parameters.values()
    ]
    return str(Signature(bare))[1:-1]


def _defaults(found: Signature, *kinds: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in found.parameters.items()
        if parameter.kind in kinds and parameter.default is not Parameter.empty
    }
