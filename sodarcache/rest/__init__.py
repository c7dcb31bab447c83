"""The REST API, on Django REST framework: include ``sodarcache.urls`` in the site's URLs."""

from django.core.exceptions import ImproperlyConfigured

try:
    import drf_spectacular  # noqa: F401
    import rest_framework  # noqa: F401
except ImportError as exc:
    raise ImproperlyConfigured(
        "The REST API needs Django REST framework and drf-spectacular: "
        "pip install cacheback-app[rest]"
    ) from exc
