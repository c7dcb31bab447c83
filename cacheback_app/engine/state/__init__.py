"""The one seam between the protocol and cache backends: small transactions over a few keys."""

from .base import (
    ABSENT,
    ANY,
    Found,
    Op,
    Outcome,
    State,
    drop,
    ensure,
    look,
    put,
    replace,
    state_for,
)

__all__ = [
    "ABSENT",
    "ANY",
    "Found",
    "Op",
    "Outcome",
    "State",
    "drop",
    "ensure",
    "look",
    "put",
    "replace",
    "state_for",
]
