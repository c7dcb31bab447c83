"""The shelf's app."""

from django.apps import AppConfig
from django.conf import settings


class ShelfConfig(AppConfig):
    name = "example_project.shelf"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if settings.CACHEBACK_TASK_QUEUE == "celery":
            # The web process sends its renewals through the same app as the workers use.
            import example_project.celery  # noqa: F401
