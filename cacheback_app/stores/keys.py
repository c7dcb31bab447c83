"""One text or digest for a pair of keys."""

from __future__ import annotations

from hashlib import sha256


def joined(pk: str, sk: str) -> str:
    """Return text that no other pair gives."""
    return f"{len(pk)}:{pk}{sk}"


def digest(pk: str, sk: str, namespace: str = "") -> str:
    """Return 64 hexadecimal digits for a pair in a namespace."""
    return sha256(joined(namespace, joined(pk, sk)).encode()).hexdigest()
