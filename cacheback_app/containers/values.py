"""How a container's values are kept as text: as JSON where nothing is lost, or as signed pickles.

Whoever can write to the store can change a JSON value into another one. What is unpickled can do
anything, so a pickle counts only with the signature that this site gave it for this very entry.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
from enum import Enum
from typing import Any, Final, NoReturn

from django.core.signing import BadSignature, Signer

from cacheback_app.engine.outages import log
from cacheback_app.exceptions import UnstorableValue
from cacheback_app.stores.keys import joined

logger = logging.getLogger("cacheback")

_PICKLE = "pickle:"  # no JSON begins so
_NOT_JSON = (TypeError, ValueError, RecursionError)


class Missing(Enum):
    """The type of :data:`MISSING`, as None is a value like any other."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""What was read is no value."""


def encode(value: Any, container: str, key: str) -> str:
    """Return the text that stands for ``value`` under one key of one container.

    :raises UnstorableValue: for what can't be pickled.
    """
    text = _as_json(value)
    if text is not None:
        return text
    try:
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as exc:  # whatever the objects in it raise
        raise UnstorableValue(f"{type(value).__name__} cannot be pickled: {exc}") from exc
    payload = base64.b64encode(pickled).decode("ascii")
    return _PICKLE + _signer(container, key).sign(payload)


def decode(text: str, container: str, key: str) -> Any:
    """Return the value that ``text`` stands for; MISSING when it stands for none."""
    if text.startswith(_PICKLE):
        return _unpickled(text.removeprefix(_PICKLE), container, key)
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        return MISSING


def _as_json(value: Any) -> str | None:
    """Return ``value`` as JSON when that gives it back as it is, else None."""
    try:
        text = _encoder.encode(value)
        return text if _is_same(_decoder.decode(text), value) else None
    except _NOT_JSON:
        return None


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and made of the same types."""
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        pairs = zip(one.items(), other.items(), strict=True)
        return len(one) == len(other) and all(
            type(theirs[0]) is str and mine[0] == theirs[0] and _is_same(mine[1], theirs[1])
            for mine, theirs in pairs
        )
    if type(one) is list:
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _unpickled(signed: str, container: str, key: str) -> Any:
    try:
        payload = _signer(container, key).unsign(signed)
    except BadSignature:
        subject = f"container:{container}"
        log.warning(subject, "A pickle in the container %r is not signed for its key", container)
        return MISSING
    try:
        return pickle.loads(base64.b64decode(payload))  # noqa: S301 - signed by this site
    except Exception as exc:  # a class that was renamed or changed since, for one
        logger.debug("A value of the container %r is outdated", container, exc_info=exc)
        return MISSING


def _signer(container: str, key: str) -> Signer:
    # The salt keeps a signed pickle from being moved to another key or container.
    return Signer(salt=f"cacheback_app.containers.values:{joined(container, key)}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_decoder = json.JSONDecoder(parse_constant=_refuse)
