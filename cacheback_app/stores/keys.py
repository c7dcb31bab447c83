"""One text or digest for a pair of keys."""

from __future__ import annotations

from hashlib import sha256


def joined(*parts: str) -> str:
    """Return text that no other parts give: each but the last is preceded by its length."""
    *first, last = parts
    return "".join([f"{len(part)}:{part}" for part in first] + [last])


def digest(*parts: str) -> str:
    """Return 64 hexadecimal digits for ``parts``."""
    return sha256(joined(*parts).encode()).hexdigest()
