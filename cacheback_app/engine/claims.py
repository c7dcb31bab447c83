"""The record of who may refresh a key, kept under a key of its own beside the entry.

A claim is text, so that it can be compared byte for byte wherever it is stored. Its states:

``pending``   a refresh was dispatched and no worker has begun it
``running``   somebody is fetching
``failed``    a refresh failed; the claim stays for ``error_backoff`` so that nobody tries at once

The idea of a token that gives the right to store, and that a delete takes away, is that of the
leases in Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """What the owner of a claim is doing."""

    PENDING = "p"
    RUNNING = "r"
    FAILED = "x"


@dataclass(frozen=True, slots=True)
class Claim:
    """One owner's claim on a key.

    A cache ends it by its own TTL, and ``until`` is for people to read. A store lets it lie, for
    the right to keep a value outlasts it: there ``until`` is its end.
    """

    state: State
    token: str
    until: float

    @classmethod
    def new(cls, state: State, ttl: float) -> Claim:
        """Return a claim with a token that no other claim has."""
        return cls(state, new_token(), time.time() + ttl)

    @classmethod
    def parse(cls, text: object) -> Claim | None:
        """Return the claim that ``text`` tells of, or None when it tells of none."""
        if not isinstance(text, str):
            return None
        try:
            state, token, until = text.split(":")
            return cls(State(state), token, float(until))
        except ValueError:
            return None

    def moved(self, state: State, ttl: float) -> Claim:
        """Return the same owner's claim in another state, for ``ttl`` more seconds."""
        return replace(self, state=state, until=time.time() + ttl)

    def __str__(self) -> str:
        return f"{self.state.value}:{self.token}:{self.until:.3f}"


def lease_ttl(claim_ttl: float) -> float:
    """Return for how many seconds a fetch may store its value, claimed for ``claim_ttl`` or not.

    A lease ends with the fetch; this bounds what a killed process leaves behind.
    """
    return max(60 * 60, 10 * claim_ttl)


def new_token() -> str:
    """Return 64 random bits as text."""
    return secrets.token_hex(8)


def claim_key(key: str) -> str:
    """Return where the claim on ``key`` is kept."""
    return f"{key}:claim"


def lease_key(key: str) -> str:
    """Return where the right to store what was fetched for ``key`` is kept."""
    return f"{key}:lease"


def error_key(key: str) -> str:
    """Return where the last error of ``key`` is kept."""
    return f"{key}:error"
