"""Fixtures of the tests of pages and fragments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cacheback_app.testing.plugin import (  # noqa: F401 - fixtures are found by being here
    cacheback_clock,
    cacheback_faults,
    cacheback_refreshes,
)
from tests.http import fragments, site

TEMPLATES = Path(__file__).parent / "templates"


@pytest.fixture(autouse=True)
def _site(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.http.site"
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [TEMPLATES],
            "APP_DIRS": True,
        }
    ]
    yield
    site.fetched.clear()
    site.run.clear()
    fragments.made.clear()
