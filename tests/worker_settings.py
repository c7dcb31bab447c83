"""Settings of a process that a test starts; the test says by environment what is shared."""

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
