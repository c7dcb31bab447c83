"""The example site's own settings, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import ROOT

KEY = "only-for-this-test-and-long-enough-for-the-checks-0123456789"


def environment_of(tmp_path: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a process of the example site."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "CACHEBACK_"))
    }
    kept.pop("SECRET_KEY", None)
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "CACHEBACK_DEMO_VAR": str(tmp_path / "var"),
        "PYTHONPATH": str(ROOT),
        **variables,
    }


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a management command of the example site."""
    command = [sys.executable, "-m", "django", *arguments]
    environment = environment_of(tmp_path, **variables)
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("demo", ["threads", "celery"])
def test_it_is_fit_to_be_deployed(tmp_path: Path, demo: str) -> None:
    """With DJANGO_DEBUG=0 the deployment checks have no warning, in either form of the demo."""
    checked = manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING",
        DJANGO_DEBUG="0", SECRET_KEY=KEY, CACHEBACK_DEMO=demo,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_a_deployment_needs_its_own_secret_key(tmp_path: Path) -> None:
    """Without SECRET_KEY the site starts only while debugging."""
    assert "Set SECRET_KEY" in manage(tmp_path, "check", DJANGO_DEBUG="0").stderr
    assert manage(tmp_path, "check").returncode == 0


def test_an_unknown_form_of_the_demo_is_refused(tmp_path: Path) -> None:
    """CACHEBACK_DEMO has two values, and the error names them."""
    refused = manage(tmp_path, "check", CACHEBACK_DEMO="carrier-pigeon").stderr
    assert "'carrier-pigeon'; it can be 'threads' or 'celery'" in refused


def test_a_fresh_site_is_filled_from_this_machine(tmp_path: Path) -> None:
    """Migrating and filling need nothing but the environment that runs them."""
    assert manage(tmp_path, "migrate").returncode == 0
    filled = manage(tmp_path, "fill_shelf")
    assert int(filled.stdout.split()[0]) > 3


def test_only_a_demo_has_staff_with_a_known_password(tmp_path: Path) -> None:
    """`add_demo_staff` adds the user that the demo names while debugging, and refuses otherwise."""
    assert manage(tmp_path, "migrate").returncode == 0
    for _ in range(2):  # the demo adds it at each start
        assert manage(tmp_path, "add_demo_staff").stdout == "user staff, password staff\n"
    refused = manage(tmp_path, "add_demo_staff", DJANGO_DEBUG="0", SECRET_KEY=KEY)
    assert refused.returncode == 1
    assert "this needs DJANGO_DEBUG=1" in refused.stderr
