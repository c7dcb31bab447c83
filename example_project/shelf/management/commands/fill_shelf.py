"""`manage.py fill_shelf`: put the installed distributions on the shelf."""

from typing import Any

from django.core.management.base import BaseCommand

from example_project.shelf.fill import fill


class Command(BaseCommand):
    help = "Fills the shelf with the distributions installed in the running environment."

    def handle(self, *args: Any, **options: Any) -> None:
        filled = fill()
        self.stdout.write(
            f"{filled.added} distributions added, {filled.changed} changed, "
            f"{filled.removed} removed, {filled.unchanged} unchanged; "
            f"{filled.requirements} requirements."
        )
