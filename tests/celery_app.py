"""The Celery application of the tests: ``celery -A tests.celery_app worker``."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.worker_settings")


def make_app() -> Celery:
    """Return an application with the settings of this moment."""
    app = Celery("tests")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()
    return app


app = make_app()


@worker_ready.connect
def tell_that_the_worker_is_ready(**kwargs: Any) -> None:
    if path := os.environ.get("WORKER_READY_FILE"):
        Path(path).touch()
