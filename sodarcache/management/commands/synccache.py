"""``manage.py synccache``"""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cacheback_app.console import Progress, progress, unwrapped
from cacheback_app.exceptions import QueueError
from sodarcache.each import each
from sodarcache.management.choice import add_arguments, chosen_api, chosen_app, chosen_project
from sodarcache.syncing import Queued, Step, Sync, plugins_of


class Command(BaseCommand):
    """Have the apps' plugins set their items anew; what fails is reported and the rest go on."""

    help = "Updates the cached items of all projects, of one, or of one app."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("-n", "--name", metavar="NAME", help="only items of this name")
        parser.add_argument(
            "--async", action="store_true", dest="is_async", help="have the task queue do it"
        )
        parser.add_argument(
            "--workers", type=_count, default=1, metavar="N", help="projects at once (1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sync = self._chosen(options)
        self._failed = self._done = 0
        with progress(sync.count(), "Updating projects", unwrapped(self.stderr)) as shown:
            try:
                if options["is_async"]:
                    self._queue(sync, shown)
                else:
                    self._run(sync, options["workers"], shown)
            except KeyboardInterrupt:
                text = f"Interrupted; {self._done} projects are done"
                raise CommandError(text, returncode=130) from None
        if self._failed:
            raise CommandError(f"{self._failed} updates failed")
        self.stdout.write(f"{'Queued' if options['is_async'] else 'Updated'}: {self._done}")

    def _chosen(self, options: dict[str, Any]) -> Sync:
        api = chosen_api()
        project = chosen_project(options["project"])
        app = options["app"]
        if app is not None and not plugins_of(app):
            chosen_app(api, app)
            raise CommandError(f"The app {app} has no plugin that updates items")
        return Sync(project, app, options["name"])

    def _run(self, sync: Sync, workers: int, shown: Progress) -> None:
        for failures in each(sync.steps(), Step.run, workers):
            for failure in failures:
                shown.note(str(failure))
            self._failed += len(failures)
            self._done += 1
            shown.advance()

    def _queue(self, sync: Sync, shown: Progress) -> None:
        for step in sync.steps():
            try:
                queued = step.queue()
            except QueueError as exc:
                raise CommandError(f"The task queue took nothing more: {exc}") from exc
            if queued is not Queued.YES:
                shown.note(f"{step.project or 'All projects'}: {queued.value}")
            self._failed += queued is Queued.NO
            self._done += 1
            shown.advance()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a number of threads: {text}")
    return int(text)
