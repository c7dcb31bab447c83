"""Where the services are, and the settings by which the processes of one test share them."""

import os
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

REDIS_URL = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"
RABBITMQ_URL = os.environ.get("RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//"
MEMCACHED = os.environ.get("MEMCACHED") or "127.0.0.1:11211"
# "gw0", "gw1", ... where pytest-xdist runs several processes, each with a part of the tests.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
# The tests flush this database of the server, so it is never the one that REDIS_URL names.
REDIS_DB = int(os.environ.get("TEST_REDIS_DB") or 5) + int(WORKER.removeprefix("gw") or 0)

# DATABASE_URL stands in for the server of its own kind.
DATABASE_URL = os.environ.get("DATABASE_URL", "")
POSTGRES_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
MARIADB_URL = "mysql://root@127.0.0.1:3306/"
if DATABASE_URL.startswith("postgres"):
    POSTGRES_URL = DATABASE_URL
elif DATABASE_URL.startswith(("mysql", "mariadb")):
    MARIADB_URL = DATABASE_URL

CACHE_BACKENDS = {
    "redis": "django.core.cache.backends.redis.RedisCache",
    "django_redis": "django_redis.cache.RedisCache",
    "own": "cacheback_app.cache.RedisCache",
    "memcached": "django.core.cache.backends.memcached.PyMemcacheCache",
    "db": "django.core.cache.backends.db.DatabaseCache",
    "file": "django.core.cache.backends.filebased.FileBasedCache",
    "locmem": "django.core.cache.backends.locmem.LocMemCache",
}


def redis_db(number: int, url: str = REDIS_URL) -> str:
    """Return the address of another database of the Redis server at ``url``."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


def cache(backend: str, location: str, **more: Any) -> dict[str, Any]:
    """Return an entry of ``CACHES``; ``backend`` is one of ``CACHE_BACKENDS``."""
    if backend == "memcached":  # which has no databases
        more.setdefault("KEY_PREFIX", WORKER)
    return {"BACKEND": CACHE_BACKENDS[backend], "LOCATION": location, **more}


def database(url: str) -> dict[str, Any]:
    """Return an entry of ``DATABASES``."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path or ":memory:",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    if is_mysql := parts.scheme in ("mysql", "mariadb"):
        _pose_as_mysqlclient()
    return {
        "ENGINE": f"django.db.backends.{'mysql' if is_mysql else 'postgresql'}",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        # PyMySQL reads the system's certificates for every connection, which takes 20 ms.
        "OPTIONS": {"ssl_disabled": True} if is_mysql else {},
    }


def _pose_as_mysqlclient() -> None:
    import pymysql

    pymysql.version_info = (2, 2, 1, "final", 0)  # Django refuses an older mysqlclient
    pymysql.install_as_MySQLdb()


@dataclass(frozen=True, kw_only=True)
class Site:
    """What several processes of one test share: the same site, deployed more than once."""

    cache: str
    """The location of the default cache: a Redis URL for the Redis backends."""
    backend: str = "own"
    """One of ``CACHE_BACKENDS``."""
    broker: str = "memory://"
    """Of Celery (Redis or AMQP) or of RQ (Redis)."""
    queue: str = "celery"
    """``CACHEBACK_TASK_QUEUE``."""
    database: str = "sqlite://"
    """A URL; the default is an own SQLite database in each process's memory."""
    celery_queue: str = "celery"
    """The name of Celery's queue, for a broker that others use too."""

    def environment(self) -> dict[str, str]:
        """Return it as environment variables, for another process's ``from_environment``."""
        return {f"SITE_{name.upper()}": value for name, value in asdict(self).items()}

    @classmethod
    def from_environment(cls) -> "Site":
        """Return what ``environment`` told this process."""
        names = {field.name: f"SITE_{field.name.upper()}" for field in fields(cls)}
        given = {name: os.environ[key] for name, key in names.items() if key in os.environ}
        return cls(**{"cache": "", "backend": "locmem", **given})

    def settings(self) -> dict[str, Any]:
        """Return the settings that differ from those of ``tests.settings``."""
        return {
            "CACHES": {"default": cache(self.backend, self.cache, KEY_PREFIX="site")},
            "CACHEBACK_TASK_QUEUE": self.queue,
            "CELERY_BROKER_URL": self.broker,
            "CELERY_TASK_DEFAULT_QUEUE": self.celery_queue,
            "RQ_QUEUES": {"default": {"URL": self.broker}},
        }
