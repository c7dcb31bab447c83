"""The public face: what the packages export, and that importing it asks for nothing."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import cacheback_app


def test_everything_imported_is_exported() -> None:
    """``__all__`` has every public name of the package, and nothing that is not there."""
    names = {
        name
        for name, value in vars(cacheback_app).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert names == set(cacheback_app.__all__)
    assert cacheback_app.__all__ == sorted(cacheback_app.__all__, key=lambda n: (n[0].islower(), n))


@pytest.mark.parametrize("name", cacheback_app.__all__)
def test_every_export_is_documented(name: str) -> None:
    """Each public name has a docstring, and so has each public method of its own."""
    exported = getattr(cacheback_app, name)
    assert exported.__doc__
    if inspect.isclass(exported):
        for method, value in vars(exported).items():
            if inspect.isfunction(value) and not method.startswith("_"):
                assert inspect.getdoc(getattr(exported, method)), f"{name}.{method}"


def test_importing_needs_no_settings_and_no_extras() -> None:
    """The packages import without configured settings, and load no optional dependency."""
    code = (
        "import sys, cacheback_app, cacheback_app.queues, cacheback_app.tasks, sodarcache\n"
        "import cacheback_app.stats, cacheback_app.catalogue, cacheback_app.console\n"
        "import cacheback_app.records\n"
        "from django.conf import settings; assert not settings.configured\n"
        "extras = {'redis', 'django_redis', 'rq', 'django_rq', 'django_tasks', 'rich', 'httpx'}\n"
        "extras |= {'prometheus_client', 'opentelemetry', 'pydantic', 'sqlalchemy', 'tenacity'}\n"
        "print(sorted(extras & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_one_module_reads_the_settings() -> None:
    """Only ``cacheback_app.conf`` imports ``django.conf.settings``, for all packages. Migrations
    name the user model as Django writes it."""
    root = Path(cacheback_app.__file__).parent.parent
    readers = [
        path.relative_to(root).as_posix()
        for package in ("cacheback_app", "sodarcache")
        for path in (root / package).rglob("*.py")
        if "django.conf import settings" in path.read_text() and "migrations" not in path.parts
    ]
    assert readers == ["cacheback_app/conf.py"]
