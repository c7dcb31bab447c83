"""The Django app."""

from django.apps import AppConfig


class ExampleProjectAppConfig(AppConfig):
    """An app without models."""

    name = "example_project_app"
