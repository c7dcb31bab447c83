"""The shelf's addresses. What changes something is a POST; a GET there is 405."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from example_project.shelf import api, views


class NameConverter(StringConverter):
    """A distribution's name as somebody may type it, in any case and with any separators."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"


class ActionConverter(StringConverter):
    """What a button under a value does."""

    regex = "invalidate|forget"


register_converter(NameConverter, "name")
register_converter(ActionConverter, "action")

app_name = "shelf"
urlpatterns = [
    path("", views.shelf, name="shelf"),
    path("shelf/refill/", views.refill, name="refill"),
    path("shelf/<action:action>/<slug:value>/", views.act_on_shelf, name="act_on_shelf"),
    path("api/distributions/", api.distributions, name="api"),
    path("catalogue/", views.catalogue, name="catalogue"),
    path("catalogue/ask/", views.ask_again, name="ask_again"),
    path("d/<name:name>/", views.distribution, name="distribution"),
    path("d/<name:name>/report.json", views.report, name="report"),
    path("d/<name:name>/invalidate/", views.invalidate_all, name="invalidate_all"),
    path("d/<name:name>/<action:action>/<slug:value>/", views.act, name="act"),
]
