"""Settings of a SODAR Core site: what SODAR Core asks for, and no more."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from tests.addresses import POSTGRES_URL, database

SITE_PACKAGE = "site_config"
APPS_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for the tests only"
ROOT_URLCONF = "site_config.urls"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"  # not UTC, as dates are compared in local time there
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
STATIC_URL = "static/"
SESSION_COOKIE_NAME = "sodar_site"
ADMINS = [("Admin", "admin@example.org")]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
EMAIL_SENDER = "noreply@example.org"
EMAIL_SUBJECT_PREFIX = ""
# Hashing is not what is tested, and each test makes a dozen users.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin",
    "crispy_forms",
    "crispy_bootstrap4",
    "rules.apps.AutodiscoverRulesConfig",
    "djangoplugins",
    "markupfield",
    "rest_framework",
    "knox",
    "social_django",
    "dj_iconify.apps.DjIconifyConfig",
    "dal",
    "dal_select2",
    "axes",
    "martor",
    "drf_spectacular",
    "users.apps.UsersConfig",
    "projectroles.apps.ProjectrolesConfig",
    "timeline.apps.TimelineConfig",
    "userprofile.apps.UserprofileConfig",
    "appalerts.apps.AppalertsConfig",
    "tokens.apps.TokensConfig",
    "sodarcache.apps.SodarcacheConfig",
    "example_project_app.apps.ExampleProjectAppConfig",
]
SITE_ID = 1
TEST_RUNNER = "runner.SodarCoreRunner"
# django-axes is there for SODAR Core's sake, and off.
SILENCED_SYSTEM_CHECKS = ["axes.W002", "axes.W003"]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

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

# The test runner makes a database of its own beside the one that is named here.
DATABASES = {
    "default": {
        **database(POSTGRES_URL),
        "TEST": {"NAME": f"sodar_site_test_{os.getpid()}"},
    }
}

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = [
    "rules.permissions.ObjectPermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_ENABLED = False
ENABLE_LDAP = False
ENABLE_OIDC = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        "knox.auth.TokenAuthentication",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 100,
}
KNOX_TOKEN_MODEL = "tokens.SODARAuthToken"

SITE_TITLE = "Site"
SITE_SUBTITLE = "Test"
SITE_INSTANCE_TITLE = "Test site"
SODAR_API_DEFAULT_HOST = urlsplit("http://127.0.0.1:8000")
ENABLED_BACKEND_PLUGINS = ["timeline_backend", "appalerts_backend", "sodar_cache"]
PROJECTROLES_SITE_MODE = "SOURCE"
PROJECTROLES_TARGET_CREATE = True
PROJECTROLES_DEFAULT_ADMIN = "admin"
PROJECTROLES_ALLOW_ANONYMOUS = False
PROJECTROLES_ALLOW_LOCAL_USERS = True
PROJECTROLES_SEND_EMAIL = False
PROJECTROLES_EMAIL_SENDER_REPLY = False
PROJECTROLES_SUPPORT_CONTACT = None
PROJECTROLES_INVITE_EXPIRY_DAYS = 14

LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "CRITICAL"}}
