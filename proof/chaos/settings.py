"""Settings of every process of the site under load: its web processes and its workers."""

from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.worker_settings import *  # noqa: F403
from tests.worker_settings import SITE

SOCKET_TIMEOUT = 0.5
"""Seconds after which a Redis that does not answer counts as down; one more try is made."""

CACHES = SITE.settings()["CACHES"]
CACHES["default"]["OPTIONS"] = {
    "socket_timeout": SOCKET_TIMEOUT,
    "socket_connect_timeout": SOCKET_TIMEOUT,
    "retry": Retry(NoBackoff(), 1),
}
CACHEBACK_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_TIMEOUT = 1.0
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"cacheback": {"handlers": ["console"], "level": "INFO"}},
}
