"""The settings of this app: its only module that reads ``django.conf.settings``."""

from __future__ import annotations

from django.conf import settings


def project_model() -> str:
    """Return the label of the model whose objects are the projects of a standalone site."""
    label: str = getattr(settings, "SODARCACHE_PROJECT_MODEL")  # noqa: B009 - it is ours
    return label


def ensure_project_model() -> None:
    """Give ``SODARCACHE_PROJECT_MODEL`` its default.

    A swappable model's setting must be there: ``makemigrations`` asks the settings themselves.
    """
    if not hasattr(settings, "SODARCACHE_PROJECT_MODEL"):
        settings.SODARCACHE_PROJECT_MODEL = "sodarcache.Project"


def user_model() -> str:
    """Return the label of the site's user model."""
    return settings.AUTH_USER_MODEL


def project_uuid_field() -> str:
    """Return the name of the projects' UUID field."""
    name: str = getattr(settings, "SODARCACHE_PROJECT_UUID_FIELD", "sodar_uuid")
    return name


def enabled_backend_plugins() -> frozenset[str]:
    """Return the names of the backend plugins that a standalone site has enabled."""
    return frozenset(getattr(settings, "SODARCACHE_ENABLED_BACKEND_PLUGINS", ("sodar_cache",)))
