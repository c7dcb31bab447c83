"""Settings of the test suite."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.addresses import MEMCACHED, REDIS_DB, cache, redis_db

# A folder of each process's own, made by who needs it.
RUN_DIR = Path(tempfile.gettempdir()) / f"cacheback-tests-{os.getpid()}"
atexit.register(shutil.rmtree, RUN_DIR, ignore_errors=True)

SECRET_KEY = "for the tests only"
USE_TZ = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "cacheback_app",
    "sodarcache",
    "example_project.shelf",
    "tests.testapp",
]
INSTALLED_APPS += [
    name
    for name in ("django_tasks", "django_tasks_db", "django_rq", "debug_toolbar")
    if find_spec(name)
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "loaders": [
                # The example site's own page would be found first otherwise.
                ("django.template.loaders.locmem.Loader", {"404.html": "no such page"}),
                "django.template.loaders.app_directories.Loader",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        # A file, so that threads and workers can use it together.
        "TEST": {"NAME": str(RUN_DIR / "db.sqlite3")},
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
        },
    }
}

_REDIS = redis_db(REDIS_DB)

CACHES = {
    "default": cache("locmem", "default"),
    "other": cache("locmem", "other"),
    "dummy": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    "file": cache("file", str(RUN_DIR / "cache")),
    "db": cache("db", "cacheback_test_cache"),
    "redis": cache("redis", _REDIS, KEY_PREFIX="redis"),
    "django_redis": cache("django_redis", _REDIS, KEY_PREFIX="django_redis"),
    "own": cache("own", _REDIS, KEY_PREFIX="own"),
    "memcached": cache("memcached", MEMCACHED),
    # Nothing listens on port 1.
    "down": cache("redis", "redis://127.0.0.1:1/0"),
}

CACHEBACK_TASK_QUEUE = "sync"
CACHEBACK_STATS = False  # many tests count what is asked of a cache

CELERY_BROKER_URL = "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

RQ_QUEUES = {"default": {"URL": _REDIS}}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# Nothing listens on port 1.
SHELF_API = "http://127.0.0.1:1/api/"
SHELF_RECORDS = RUN_DIR / "records"
