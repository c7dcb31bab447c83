"""The Django app."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """No models: its values are cache items of the shelf's distributions."""

    name = "example_project.inventory"
