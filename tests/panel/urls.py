"""The addresses of a site with the panel and an admin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("cacheback/", include("cacheback_app.urls")),
]
