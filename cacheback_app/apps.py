"""The Django app."""

from django.apps import AppConfig


class CachebackConfig(AppConfig):
    """``"cacheback_app"`` in ``INSTALLED_APPS``."""

    name = "cacheback_app"
    verbose_name = "Cacheback"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Begin to collect statistics, and register the system checks."""
        from . import checks  # noqa: F401
        from .stats.collecting import collector
        from .stats.flushing import flusher

        collector.connect()
        flusher.connect()
