"""The contract of stores as tests, for the backends of this package and for yours::

    class TestPigeonStore(StoreConformance):
        def make_store(self):
            return PigeonStore("loft")

A backend that needs pytest's fixtures overrides the fixture ``store`` instead.
"""

from django.core.exceptions import ImproperlyConfigured

try:
    import pytest  # noqa: F401
except ImportError as exc:
    raise ImproperlyConfigured(
        "StoreConformance needs pytest: pip install cacheback-app[testing]"
    ) from exc

from .conformance import StoreConformance
from .races import increment
from .samples import PAIRS

__all__ = ["PAIRS", "StoreConformance", "increment"]
