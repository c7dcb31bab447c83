"""A site with the REST API, whose database the test names by environment."""

from tests.addresses import Site, database
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "rest_framework", "drf_spectacular"]
DATABASES = {"default": database(Site.from_environment().database)}
ROOT_URLCONF = "tests.sodarcache.rest.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
STATIC_URL = "static/"
SODARCACHE_ENABLED_BACKEND_PLUGINS = ["sodar_cache"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "tests.sodarcache.rest.backends.RoleBackend",
]
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
