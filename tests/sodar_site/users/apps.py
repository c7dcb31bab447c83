"""The Django app."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """What every SODAR Core site has: a user model of its own."""

    name = "users"
