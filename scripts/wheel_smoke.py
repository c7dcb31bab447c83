"""Use the installed wheel the way a new site would, with none of the optional dependencies.

Run by the Python of a clean environment, in isolated mode (``python -I``) so that the checkout
is not importable.
"""

import importlib
import pkgutil
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PACKAGES = ("cacheback_app", "sodarcache")
# Django imports these itself, after it was set up.
OF_DJANGO = {"admin", "management", "migrations", "models", "panel", "urls", "views"}
# The inside of a part with an extra: what a site imports of that part tells of the extra.
INSIDE = {
    "cacheback_app.records.requesting": "httpx",
    "cacheback_app.records.responses": "pydantic",
    "cacheback_app.records.sending": "httpx",
    "cacheback_app.records.sqlite_tables": "sqlalchemy",
    "cacheback_app.testing.plugin": "pytest",
    "pytest_cacheback": "pytest",
}


def modules(package: str, without: set[str]) -> list[str]:
    """Return the names of all modules below ``package`` but those ``without``."""
    found = [package]
    try:
        root = importlib.import_module(package)
    except ImproperlyConfigured:  # for want of an extra, which try_import() wants to hear of
        return found
    for module in pkgutil.iter_modules(root.__path__, f"{package}."):
        if module.name.rpartition(".")[2] not in without:
            found += modules(module.name, without) if module.ispkg else [module.name]
    return found


def try_import(name: str) -> None:
    """Import a module, which may refuse only by naming the extra that it needs."""
    try:
        importlib.import_module(name)
    except ImproperlyConfigured as exc:
        assert "pip install cacheback-app[" in str(exc), f"{name}: {exc}"
    except ModuleNotFoundError as exc:
        assert exc.name == INSIDE.get(name), f"{name}: {exc}"


def import_without_settings() -> int:
    """Import all that a program may import before Django is set up."""
    names = [*modules("cacheback_app", OF_DJANGO), "pytest_cacheback", "sodarcache"]
    names.append("sodarcache.conf")
    for name in names:
        try_import(name)
        assert not settings.configured, f"importing {name} configures the settings"
    return len(names)


def import_the_rest() -> int:
    """Import what needs a site, with nothing but Django's own apps beside."""
    names = modules("sodarcache", {"rest", "views_api", "urls", "rules", "migrations", "admin"})
    for name in names:
        if name != "sodarcache.host.sodar_core":
            try_import(name)
    return len(names)


def exports() -> None:
    """Check that what the package lists is there."""
    import cacheback_app

    for name in cacheback_app.__all__:
        getattr(cacheback_app, name)


def types() -> None:
    """Check that type checkers will read the annotations."""
    for package in PACKAGES:
        assert (files(package) / "py.typed").is_file(), f"{package}/py.typed is not in the wheel"


def read_through() -> None:
    """Miss, then hit."""
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "cacheback_app",
            "sodarcache",
        ],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        CACHEBACK_TASK_QUEUE="threads",
        SECRET_KEY="smoke",
        USE_TZ=True,
    )
    django.setup()

    from cacheback_app import Job

    fetched = []

    class Greeting(Job):
        def fetch(self, name):
            fetched.append(name)
            return f"Hello, {name}"

    job = Greeting()
    assert job.raw_get("Ada") is None
    assert [job.get("Ada"), job.get("Ada")] == ["Hello, Ada"] * 2
    assert fetched == ["Ada"], fetched
    assert job.raw_get("Ada")[1] == "Hello, Ada"


if __name__ == "__main__":
    count = import_without_settings()
    exports()
    types()
    read_through()
    count += import_the_rest()
    where = Path(str(files("cacheback_app"))).parent
    assert where.name == "site-packages", f"cacheback_app comes from {where}"
    print(f"cacheback-app {version('cacheback-app')} works: {count} modules, a miss and a hit")
