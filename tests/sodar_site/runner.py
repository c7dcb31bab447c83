"""The test runner: it counts SODAR Core's own tests, and says so when PostgreSQL is absent."""

import os
import sys
import unittest
from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.db import OperationalError, connection
from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases

SHIPPED = "sodarcache.tests"
SHIPPED_COUNT = 43


class SodarCoreRunner(DiscoverRunner):
    """Fails when fewer than all of the shipped tests ran, whatever the reason."""

    shipped_wanted = False

    def build_suite(
        self, test_labels: Sequence[str] | None = None, **kwargs: Any
    ) -> unittest.TestSuite:
        """Name the shipped modules one by one.

        unittest looks for a package's tests below the folder of its parent, which is ours.
        """
        labels = list(test_labels or ())
        self.shipped_wanted = SHIPPED in labels
        if self.shipped_wanted:
            labels.remove(SHIPPED)
            folder = import_module(SHIPPED).__path__
            labels += [module.name for module in iter_modules(folder, f"{SHIPPED}.")]
        return super().build_suite(labels, **kwargs)

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make the test database; leave, with a line that says why, when there is no server."""
        try:
            connection.ensure_connection()
        except OperationalError as exc:
            print(f"SODAR Core's tests need PostgreSQL: {exc}", file=sys.stderr)
            sys.exit(os.environ.get("REQUIRE_SERVICES") == "1")
        return super().setup_databases(**kwargs)

    def run_suite(self, suite: unittest.TestSuite, **kwargs: Any) -> Any:
        """Run it; count the shipped tests that did run."""
        self.shipped_found = _shipped(iter_test_cases(suite))
        return super().run_suite(suite, **kwargs)

    def suite_result(self, suite: unittest.TestSuite, result: Any, **kwargs: Any) -> int:
        """Return the number of failures, a missing test being one."""
        failures = super().suite_result(suite, result, **kwargs)
        if not self.shipped_wanted:
            return failures
        ran = self.shipped_found - _shipped(test for test, _ in result.skipped)
        import sodarcache

        print(f"{ran} of SODAR Core's {SHIPPED_COUNT} tests ran against {sodarcache.__file__}")
        return failures + max(0, SHIPPED_COUNT - ran)


def _shipped(tests: Iterable[unittest.TestCase]) -> int:
    return sum(test.id().startswith(f"{SHIPPED}.") for test in tests)
