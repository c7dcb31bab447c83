"""Settings of a process that a test starts; the test says by environment what is shared."""

import os

from tests.addresses import Site, database
from tests.settings import *  # noqa: F403

SITE = Site.from_environment()
globals().update(SITE.settings())
DATABASES = {"default": database(SITE.database)}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        name: {"handlers": ["console"], "level": "DEBUG"}
        for name in ("cacheback", "django_tasks_db", "rq.worker")
    },
}

# A test that wants statistics of its processes says how often they share them.
CACHEBACK_STATS = "STATS_INTERVAL" in os.environ
CACHEBACK_STATS_INTERVAL = os.environ.get("STATS_INTERVAL", "5")
