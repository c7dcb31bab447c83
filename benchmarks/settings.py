"""Settings of the benchmarks. ``environment.py`` says where the private services are."""

import os
from pathlib import Path

CACHE_URL = os.environ.get("BENCH_CACHE_URL", "")
MEMCACHED = os.environ.get("BENCH_MEMCACHED", "")
BROKER_URL = os.environ.get("BENCH_BROKER_URL", "")
FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))

SECRET_KEY = "for the benchmarks only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
INSTALLED_APPS += ["cacheback_app", "sodarcache"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "benchmarks.sqlite3",
        # As sites have it that serve requests from SQLite; both sides of a row do.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    "redis": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "django",
    },
    "django_redis": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "django_redis",
    },
    "own": {
        "BACKEND": "cacheback_app.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "own",
    },
    "memcached": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": MEMCACHED,
    },
    "diskcache": {
        "BACKEND": "diskcache.DjangoCache",
        "LOCATION": FOLDER / "diskcache",
        "SHARDS": 1,
    },
}

# The peers that patch the ORM are let into a process of their own each.
PEER = os.environ.get("BENCH_PEER", "")
if PEER:
    INSTALLED_APPS.append(PEER)
CACHALOT_CACHE = "redis"
CACHEOPS_REDIS = CACHE_URL
CACHEOPS = {"auth.user": {"ops": "all", "timeout": 600}}

# The ancestor reads settings of the same names.
CACHEBACK_TASK_QUEUE = "celery"
CACHEBACK_TASK_IGNORE_RESULT = True

CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True

# The ancestor imports django-rq wherever that is installed.
RQ_QUEUES = {"default": {"URL": BROKER_URL}}
