"""The staff panel: ``path("cacheback/", include("cacheback_app.urls"))``."""

from django.urls import path

from .panel import views

app_name = "cacheback"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("job/<str:path>/", views.job, name="job"),
    path("job/<str:path>/act/", views.act, name="act"),
]
