"""The settings of this app."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from cacheback_app.conf import ensure_of_site, of_site

_PROJECT_MODEL, _OWN_PROJECT = "SODARCACHE_PROJECT_MODEL", "sodarcache.Project"


def project_model() -> str:
    """Return the label of the model whose objects are the projects of a standalone site."""
    return str(of_site(_PROJECT_MODEL, _OWN_PROJECT))


def ensure_project_model() -> None:
    """Give ``SODARCACHE_PROJECT_MODEL`` its default.

    A swappable model's setting must be there: ``makemigrations`` asks the settings themselves.
    """
    ensure_of_site(_PROJECT_MODEL, _OWN_PROJECT)


def user_model() -> str:
    """Return the label of the site's user model."""
    return str(of_site("AUTH_USER_MODEL"))


def project_uuid_field() -> str:
    """Return the name of the projects' UUID field."""
    return str(of_site("SODARCACHE_PROJECT_UUID_FIELD", "sodar_uuid"))


def enabled_backend_plugins() -> frozenset[str]:
    """Return the names of the backend plugins that a standalone site has enabled.

    :raises ImproperlyConfigured: for a single text, whose letters are not meant.
    """
    names = of_site("SODARCACHE_ENABLED_BACKEND_PLUGINS", ("sodar_cache",))
    if isinstance(names, str):
        raise ImproperlyConfigured(
            f"SODARCACHE_ENABLED_BACKEND_PLUGINS is a list of names, not the text {names!r}"
        )
    return frozenset(names or ())
