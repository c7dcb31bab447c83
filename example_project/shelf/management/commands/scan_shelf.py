"""`manage.py scan_shelf`: count the files of what is new on the shelf. Run several at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from example_project.shelf import scan


class Command(BaseCommand):
    help = "Counts the files of the distributions that were put on the shelf since the last scan."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--restart", action="store_true", help="begin with the first one")

    def handle(self, *args: Any, restart: bool, **options: Any) -> None:
        if restart:
            scan.restart()
        mine = scan.scan()
        total = scan.progress()
        self.stdout.write(
            f"{mine.distributions} distributions with {mine.files} files counted; "
            f"{total.distributions} with {total.files} in all."
        )
