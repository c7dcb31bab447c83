"""The URLs that models and tests of SODAR Core reverse, and those of sodarcache."""

from django.urls import include, path

urlpatterns = [
    path("project/", include("projectroles.urls")),
    path("cache/", include("sodarcache.urls")),
]
