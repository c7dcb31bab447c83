"""The addresses of a site with the panel and no admin."""

from django.urls import include, path

urlpatterns = [path("cacheback/", include("cacheback_app.urls"))]
