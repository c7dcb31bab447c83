"""Settings of the Celery workers here: results are kept, and connection errors are retried."""

import os

from tests.worker_settings import *  # noqa: F403

CACHEBACK_TASK_IGNORE_RESULT = False
CELERY_RESULT_BACKEND = os.environ.get("RESULTS_URL")
CELERY_TASK_ANNOTATIONS = {
    "cacheback_app.tasks.refresh_cache": {
        "autoretry_for": (ConnectionError,),
        "retry_kwargs": {"max_retries": 2, "countdown": 0.1},
    }
}
