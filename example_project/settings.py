"""Settings of the example site, all of them driven by the environment.

================== ============================ ==================================================
variable           default                      meaning
================== ============================ ==================================================
CACHEBACK_DEMO     threads                      "threads": SQLite, local memory, no broker;
                                                "celery": Redis and a Celery worker
REDIS_URL          redis://127.0.0.1:6379/0     cache and broker of the "celery" demo
DJANGO_DEBUG       1                            0 for a deployment
SECRET_KEY         a fixed one while debugging  required when DJANGO_DEBUG=0
ALLOWED_HOSTS      localhost,127.0.0.1,[::1]    comma-separated host names
DJANGO_HTTPS       the opposite of DEBUG        HSTS, secure cookies and the redirect to HTTPS
CACHEBACK_DEMO_VAR var                          where the SQLite files and collected statics live
SHELF_API          http://127.0.0.1:$PORT/api/  where the site finds its own API; PORT is 8000
================== ============================ ==================================================
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def _flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    return value in {"1", "true", "yes", "on"} if value else default


BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("CACHEBACK_DEMO_VAR") or BASE_DIR / "var")
VAR_DIR.mkdir(parents=True, exist_ok=True)  # SQLite creates the file, not its folder

DEMO = os.environ.get("CACHEBACK_DEMO") or "threads"
REDIS_URL = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"
DEBUG = _flag("DJANGO_DEBUG", True)
HTTPS = _flag("DJANGO_HTTPS", not DEBUG)

SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("Set SECRET_KEY in the environment when DJANGO_DEBUG=0.")
    SECRET_KEY = "django-insecure-for-the-example-site-on-your-own-machine-only"

_hosts = os.environ.get("ALLOWED_HOSTS") or "localhost,127.0.0.1,[::1]"
ALLOWED_HOSTS = [host.strip() for host in _hosts.split(",") if host.strip()]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "cacheback_app",
    "sodarcache",
    "example_project.inventory",
    "example_project.shelf",
]

MIDDLEWARE = [
    "example_project.shelf.middleware.page_timer",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "example_project.shelf.middleware.content_security_policy",
]

ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR_DIR / "shelf.sqlite3",
        # Requests and the threads that renew values read while the shelf is being filled.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The two ways to run the site differ in these lines only.
if DEMO == "threads":
    CACHEBACK_TASK_QUEUE = "threads"
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},  # Django's 300 is less than a large environment
        }
    }
elif DEMO == "celery":
    CACHEBACK_TASK_QUEUE = "celery"
    CACHES = {
        "default": {
            "BACKEND": "cacheback_app.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "shelf",
        }
    }
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
    CELERY_TASK_IGNORE_RESULT = True
else:
    raise ImproperlyConfigured(f"CACHEBACK_DEMO is {DEMO!r}; it can be 'threads' or 'celery'.")

# What must outlive a restart of the site, and is shared by its processes.
CACHEBACK_STORES = {
    "default": {
        "BACKEND": "cacheback_app.stores.SQLiteStore",
        "OPTIONS": {"path": str(VAR_DIR / "store.sqlite3")},
    }
}
CACHEBACK_CONTAINERS = {
    "licences": {
        "STORE": "default",
        "GENERATOR": "example_project.shelf.licences.look_up",
        "EXPIRE": "1 day",
    }
}

# The project cache keeps items of each distribution.
SODARCACHE_PROJECT_MODEL = "shelf.Distribution"
SODARCACHE_PROJECT_UUID_FIELD = "uuid"

# The site's own API, and where the catalogue page keeps what that has answered.
SHELF_API = os.environ.get("SHELF_API") or (
    f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}/api/"
)
SHELF_RECORDS = VAR_DIR / "records"

MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"

CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"cacheback": {"handlers": ["console"], "level": "INFO"}},
}
