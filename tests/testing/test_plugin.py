"""The pytest plugin, in a project and a process of its own."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.services import ROOT

pytest_plugins = ["pytester"]

ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]

SETTINGS = """
SECRET_KEY = "a secret of a test"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
INSTALLED_APPS = ["cacheback_app"]
CACHEBACK_TASK_QUEUE = "celery"
CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
"""

SHOP = """
from cacheback_app import cacheback
calls = []

@cacheback(lifetime="10m")
def price(name):
    calls.append(name)
    return len(calls)
"""

TESTS = """
import pytest, time
from cacheback_app.conf import conf
from cacheback_app.queues import get_queue
from shop import price

def test_refreshes(cacheback_clock, cacheback_refreshes):
    assert price("tea") == 1
    cacheback_clock.advance("10m")
    assert price("tea") == 1
    cacheback_refreshes.assert_refreshes(1)
    assert cacheback_refreshes[0].job == "shop.price"
    assert cacheback_refreshes.run() == [True]
    assert price("tea") == 2

def test_sync(cacheback_sync_refresh):
    assert get_queue().in_place

def test_disabled(cacheback_disabled):
    assert not conf.enabled

def test_faults(cacheback_faults):
    with cacheback_faults.cache_down():
        assert price("milk") == price("milk") - 1

def test_nothing_is_left():
    assert conf.enabled and get_queue().name == "celery"
    assert time.time() > 1.7e9
"""


@pytest.fixture
def site(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose environment has the package installed, as pip would do it."""
    installed = pytester.mkdir("installed") / "cacheback_app-9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: cacheback-app\nVersion: 9\n")
    lines = [f"{name} = {module}" for name, module in ENTRY_POINTS["pytest11"].items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    path = [str(installed.parent), str(ROOT), str(pytester.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))
    pytester.makepyfile(site_settings=SETTINGS, shop=SHOP)
    return pytester


@pytest.mark.parametrize("order", ["1", "2"])
def test_in_a_project(site: pytest.Pytester, order: str) -> None:
    """The fixtures are there by installation alone, need no broker and no sleep, and leave
    nothing behind, in any order."""
    site.makepyfile(test_shop=TESTS)
    result = site.runpytest_subprocess(
        "--ds=site_settings", "-W", "error", f"--randomly-seed={order}"
    )
    result.assert_outcomes(passed=5)


REPORTS = """
from cacheback_app import cacheback
from django.http import HttpResponse
from django.urls import path

sales = 1

def sell():
    global sales
    sales += 1

@cacheback(lifetime="10m")
def report(year):
    return f"{sales} sale{'s' if sales > 1 else ''}"

urlpatterns = [path("report/<int:year>/", lambda request, year: HttpResponse(report(year)))]
"""

HEAD = """
import pytest, shop
from django.core.cache import cache
from django.test import TestCase
from cacheback_app.testing import disabled, sync_refresh
from shop import report, sell

@pytest.fixture(autouse=True)
def first_sale():
    shop.sales = 1
    cache.clear()
"""


def test_the_documented_tests(site: pytest.Pytester) -> None:
    """The tests in docs/testing.md pass as they stand."""
    more = (
        'ROOT_URLCONF = "shop"\nDATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}\n'
    )
    site.makepyfile(site_settings=SETTINGS + more, shop=REPORTS)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.DOTALL)
    site.makepyfile(test_docs=HEAD + "\n".join(blocks))
    result = site.runpytest_subprocess("--ds=site_settings", "-W", "error")
    result.assert_outcomes(passed=4)


def test_without_django_settings(site: pytest.Pytester) -> None:
    """A project that has nothing to do with Django is not disturbed."""
    site.makepyfile("def test_nothing(): pass")
    result = site.runpytest_subprocess("-p", "no:django", "-W", "error")
    result.assert_outcomes(passed=1)


def test_imports_nothing() -> None:
    """pytest loads the plugin in every project of an environment: it brings neither Django nor
    anything else along (section 7)."""
    (module,) = ENTRY_POINTS["pytest11"].values()
    code = (
        f"import sys, pytest; before = set(sys.modules); import {module}\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == f"['{module}']"


def test_lazy_exports() -> None:
    """Every name that ``cacheback_app.testing`` exports is there, and no other."""
    from cacheback_app import testing

    for name in testing.__all__:
        assert getattr(testing, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        testing.nothing  # noqa: B018
    assert Path(testing.__file__ or "").parent.name == "testing"


def test_the_suite_for_stores() -> None:
    """S6: the conformance suite is where it always was."""
    from cacheback_app.testing import StoreConformance, stores

    assert StoreConformance is stores.StoreConformance
