"""The Celery application of the example site: `celery -A example_project worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
# A worker shares nothing with a site that keeps its cache in its own memory.
os.environ.setdefault("CACHEBACK_DEMO", "celery")

app = Celery("example_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
