"""The Django app."""

from django.apps import AppConfig


class SodarCacheConfig(AppConfig):
    """So far without models."""

    name = "sodarcache"
    default_auto_field = "django.db.models.BigAutoField"
