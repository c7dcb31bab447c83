"""The options of a store: the keywords of its constructor, from settings and environment."""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from cacheback_app.exceptions import ConfigurationException

_FLAGS = {"1": True, "true": True, "yes": True, "on": True}
_FLAGS |= {"0": False, "false": False, "no": False, "off": False}


class Options:
    """What a class can be told, as its constructor says."""

    def __init__(self, cls: type) -> None:
        parameters = _signature(cls).parameters.values()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        self._name = cls.__name__
        self._parameters = {one.name: one for one in parameters if one.kind in named}
        self._takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
        self._types = {name: _types(one.annotation) for name, one in self._parameters.items()}

    def validated(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``given`` when a constructor can be called with it.

        :raises ConfigurationException: when an option is unknown, missing or of another type.
        """
        for name, value in given.items():
            if name not in self._parameters and not self._takes_any:
                raise ConfigurationException(f"{self._unknown(name)}")
            types = self._types.get(name, ())
            if types and not _is_a(value, types):
                expected = " or ".join("None" if one is NoneType else one.__name__ for one in types)
                raise ConfigurationException(
                    f"the option {name!r} must be {expected}, not {type(value).__name__}"
                )
        for name, parameter in self._parameters.items():
            if parameter.default is parameter.empty and name not in given:
                raise ConfigurationException(f"{self._name} needs the option {name!r}")
        return dict(given)

    def from_environment(self, alias: str, aliases: Collection[str]) -> dict[str, Any]:
        """Return the options that variables ``CACHEBACK_STORE_<ALIAS>_<OPTION>`` set.

        :param aliases: of all stores; a variable is that of the longest that it begins with.
        :raises ConfigurationException: when one names no option, or is not of the option's type.
        """
        found = {}
        prefixes = {_prefix(other): other for other in aliases}
        for variable, text in os.environ.items():
            owners = [prefix for prefix in prefixes if variable.upper().startswith(prefix)]
            if not owners or prefixes[max(owners, key=len)] != alias:
                continue
            name = variable[len(_prefix(alias)) :].lower()
            if name not in self._parameters:
                raise ConfigurationException(f"{variable}: {self._unknown(name)}")
            try:
                found[name] = self.parsed(name, text)
            except ValueError as exc:
                raise ConfigurationException(
                    f"{variable}: not a value of the option {name!r}: {exc}"
                ) from exc
        return found

    def parsed(self, name: str, text: str) -> Any:
        """Return the value of an option that is written as text.

        :raises ValueError: when the text is none of the option's type.
        """
        return _parsed(text, self._types.get(name, ()))

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._parameters) or "none"
        return f"{self._name} has no option {name!r}; there are: {known}"


def stray_variables(aliases: Collection[str]) -> list[str]:
    """Return the variables that have the form of a store's option, and whose store there is not."""
    prefixes = tuple(map(_prefix, aliases))
    names = (name for name in os.environ if name.upper().startswith(_VARIABLES))
    return sorted(name for name in names if not name.upper().startswith(prefixes))


_VARIABLES = "CACHEBACK_STORE_"


def _prefix(alias: str) -> str:
    return f"{_VARIABLES}{re.sub(r'[^A-Z0-9]', '_', alias.upper())}_"


def _signature(cls: type) -> inspect.Signature:
    try:
        return inspect.signature(cls, eval_str=True)
    except NameError:  # annotations that exist for type checkers only
        return inspect.signature(cls)


def _types(hint: Any) -> tuple[type, ...]:
    """Return the classes that ``hint`` admits; none when it can't be told."""
    if hint is inspect.Parameter.empty:
        return ()
    kinds = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    classes = tuple(get_origin(kind) or kind for kind in kinds)
    return classes if all(isinstance(one, type) for one in classes) else ()


def _is_a(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which is an int, and none of the numbers that are asked for
        return bool in types or object in types
    return isinstance(value, types) or (float in types and isinstance(value, int))


def _parsed(text: str, types: tuple[type, ...]) -> Any:
    """Return the text of a variable as one of ``types``."""
    if not text and NoneType in types:
        return None
    if str in types or Path in types or not types:
        return text
    if bool in types:
        if text.strip().lower() not in _FLAGS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _FLAGS[text.strip().lower()]
    for number in (int, float):
        if number in types:
            return number(text)
    return json.loads(text)
