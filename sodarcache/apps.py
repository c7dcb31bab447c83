"""The Django app."""

from django.apps import AppConfig


class SodarcacheConfig(AppConfig):
    """``"sodarcache"`` in ``INSTALLED_APPS``, in any Django site and inside SODAR Core."""

    name = "sodarcache"
    verbose_name = "Project cache"
    default_auto_field = "django.db.models.AutoField"  # as in SODAR Core's databases

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401
