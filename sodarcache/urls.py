"""The URLs: ``path("cache/", include("sodarcache.urls"))``."""

from .rest.urls import app_name, urlpatterns

__all__ = ["app_name", "urlpatterns"]
