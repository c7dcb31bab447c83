"""A site's URLs."""

from django.urls import include, path

urlpatterns = [path("cache/", include("sodarcache.urls"))]
