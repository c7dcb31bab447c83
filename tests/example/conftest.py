"""A shelf of made-up distributions, and the example site over it."""

from pathlib import Path
from typing import Any

import pytest

from example_project import settings as example
from example_project.shelf import installed
from example_project.shelf.fill import fill
from tests.example.made_up import MadeUp


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    """A folder to install made-up distributions into."""
    return MadeUp(tmp_path / "site-packages")


@pytest.fixture
def environment(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """The same folder, as the whole of the running environment."""
    monkeypatch.syspath_prepend(str(made_up.folder))
    real = installed.distributions
    monkeypatch.setattr(installed, "distributions", lambda path=None: real([str(made_up.folder)]))
    return made_up


@pytest.fixture
def site(db: None, settings: Any, environment: MadeUp) -> MadeUp:
    """The example site over a shelf with `Tiny.Thing` and `other`, which requires it."""
    settings.ROOT_URLCONF = example.ROOT_URLCONF
    settings.MIDDLEWARE = example.MIDDLEWARE
    settings.TEMPLATES = example.TEMPLATES
    settings.MESSAGE_STORAGE = example.MESSAGE_STORAGE
    settings.STATIC_URL = "/static/"
    settings.CACHEBACK_TASK_QUEUE = "sync"
    settings.CACHEBACK_STORES = {"default": {"BACKEND": "cacheback_app.stores.LocalMemoryStore"}}
    settings.CACHEBACK_CONTAINERS = example.CACHEBACK_CONTAINERS
    environment.install(
        "Tiny.Thing", {"tiny/__init__.py": b"one = 1\ntwo = 2\n"}, ["Summary: A <b>tiny</b> thing"]
    )
    environment.install("other", {"other.py": b""}, ["Requires-Dist: tiny_thing>=1"])
    fill()
    return environment
