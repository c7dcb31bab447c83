"""The addresses of the example site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("example_project.shelf.urls")),
    path("admin/", admin.site.urls),
    path("cacheback/", include("cacheback_app.urls")),
    path("cache/", include("sodarcache.urls")),
    path("inventory/", include("example_project.inventory.urls")),
]
