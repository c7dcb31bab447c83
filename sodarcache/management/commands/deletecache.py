"""``manage.py deletecache``"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sodarcache.management.choice import add_arguments, chosen_api, chosen_app, chosen_project


class Command(BaseCommand):
    """Delete items. On a terminal it asks first; scripts mean what they say."""

    help = "Deletes the cached items of all projects, of one, or of one app."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        api = chosen_api()
        project = chosen_project(options["project"])
        app = chosen_app(api, options["app"])
        if not options["yes"] and sys.stdin is not None and sys.stdin.isatty():
            self._ask(options["project"], app)
        count = api.delete_cache(app_name=app, project=project)
        self.stdout.write(f"Deleted {count} cached item{'' if count == 1 else 's'}")

    def _ask(self, project: str | None, app: str | None) -> None:
        of_app = f" of the app {app}" if app else ""
        of_project = f"project {project}" if project else "all projects"
        try:
            answer = input(f"Delete the cached items{of_app} of {of_project}? [y/N] ")
        except (EOFError, KeyboardInterrupt):  # Ctrl-D, Ctrl-C
            answer = ""
            self.stdout.write("")  # ends the line of the question
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was deleted")
