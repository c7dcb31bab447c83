"""The OpenAPI schema."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured

import sodarcache.rest

ROOT = Path(__file__).resolve().parents[3]


def test_the_schema_is_valid_and_complete(tmp_path: Path) -> None:
    """REST: drf-spectacular describes all of the API without a warning, and the result is valid."""
    target = tmp_path / "schema.yaml"
    command = [sys.executable, "-m", "django", "spectacular", "--validate", "--fail-on-warn"]
    settings = {"DJANGO_SETTINGS_MODULE": "tests.sodarcache.rest.site_settings"}
    subprocess.run(
        [*command, "--file", str(target)], check=True, cwd=ROOT, env=os.environ | settings
    )
    schema = yaml.safe_load(target.read_text())
    item = "{project}/{app_name}/{item_name}"
    assert {path: sorted(methods) for path, methods in schema["paths"].items()} == {
        f"/cache/api/retrieve/{item}": ["get"],
        f"/cache/api/retrieve/date/{item}": ["get"],
        f"/cache/api/set/{item}": ["post"],
        f"/cache/api/delete/{item}": ["delete"],
        "/cache/api/set/{project}": ["post"],
        "/cache/api/list/{project}": ["get"],
    }
    read = schema["paths"][f"/cache/api/retrieve/{item}"]["get"]
    assert {"200", "304", "400", "401", "403", "404", "412", "503"} == set(read["responses"])
    names = {parameter["name"] for parameter in read["parameters"]}
    assert {"If-None-Match", "If-Modified-Since", "project", "app_name", "item_name"} <= names


@pytest.mark.parametrize("missing", ["rest_framework", "drf_spectacular"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """REST: whoever includes the URLs without the extra is told its name."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install cacheback-app\[rest\]"):
        importlib.reload(sodarcache.rest)
