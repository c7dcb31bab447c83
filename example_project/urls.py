"""The addresses of the example site."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("example_project.shelf.urls")),
    path("admin/", admin.site.urls),
    path("cacheback/", include("cacheback_app.urls")),
    path("cache/", include("sodarcache.urls")),
    path("inventory/", include("example_project.inventory.urls")),
    # What browsers ask for beside pages that name no icon: the admin's, and JSON.
    path("favicon.ico", RedirectView.as_view(url=static("shelf/icon.svg"))),
]
