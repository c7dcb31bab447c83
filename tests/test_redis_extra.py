"""The Redis cache without redis-py."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from cacheback_app.cache import RedisCache


def test_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that has not installed redis-py is told what to install, at the first use."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImproperlyConfigured, match=r"needs redis: pip install .*\[redis\]"):
        RedisCache("redis://127.0.0.1:1", {}).get("key")
