"""``manage.py cacheback``: see what is cached, why and how old, and act on it."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cacheback_app import console, delete_tags, invalidate_tags
from cacheback_app.catalogue import (
    BadArguments,
    KnownCall,
    KnownJob,
    discover,
    find_job,
    known_jobs,
    parse_call,
    parse_line,
)
from cacheback_app.checks.caches import is_local_memory
from cacheback_app.conf import conf
from cacheback_app.console import unwrapped
from cacheback_app.engine import outages
from cacheback_app.engine.slot import Call, as_call
from cacheback_app.exceptions import CachebackError, CacheUnavailable
from cacheback_app.management.cacheback import fetching, looking, output

LOCAL_MEMORY = (
    "The cache is local memory: this command has its own, and neither sees nor changes what the "
    "site's processes have cached."
)


class Command(BaseCommand):
    help = "Shows what jobs have cached and how they do, and refreshes or removes it."

    def add_arguments(self, parser: CommandParser) -> None:
        topics = parser.add_subparsers(dest="topic", metavar="command", required=True)
        add = _Adder(topics)
        add("list", "all jobs of this site")
        stats = add("stats", "what all processes did with the jobs")
        stats.add_argument("jobs", nargs="*", metavar="JOB")
        stats.add_argument("--minutes", type=_minutes, default=60, help="1 to 60, the default")
        stats.add_argument(
            "--failures",
            action="store_true",
            dest="with_failures",
            help="show the last traceback of each",
        )
        add.with_call("explain", "what is cached for a call, and how it came to be")
        for topic, what in (
            ("invalidate", "mark stale, and refresh it in the background"),
            ("delete", "remove"),
        ):
            acting = add.with_call(topic, f"{what}: one call, or all that is tagged", "?")
            acting.add_argument(
                "--tag",
                action="append",
                default=[],
                dest="tags",
                metavar="TAG",
                help="instead of a job, again and again",
            )
        refresh = add.with_call("refresh", "fetch now, and store: one call, or those in a file")
        warm = add.with_call("warm", "fetch what is missing or stale of many calls")
        for many in (refresh, warm):
            many.add_argument(
                "--from",
                dest="source",
                metavar="FILE",
                help="argument lists, one JSON a line; '-' is standard input",
            )
            many.add_argument(
                "--workers", type=_workers, default=1, metavar="N", help="threads, 1 by default"
            )

    def handle(self, *args: Any, topic: str, **options: Any) -> None:
        # What is called in a process shares its memory; a command line has a process of its own.
        alone: bool = self._called_from_command_line  # type: ignore[attr-defined]
        if alone and topic != "list" and is_local_memory(conf.cache_alias):
            self.stderr.write(LOCAL_MEMORY, self.style.WARNING)
        try:
            getattr(self, f"_{topic}")(**options)
            unwrapped(self.stdout).flush()
        except CommandError:
            raise
        except KeyboardInterrupt:
            raise CommandError("Interrupted", returncode=130) from None
        except BrokenPipeError as exc:
            console.give_up(unwrapped(self.stdout))
            raise CommandError("nobody reads the output any more") from exc
        except CachebackError as exc:
            raise CommandError(_in_a_line(exc)) from exc
        except Exception as exc:  # the job's own code may raise anything; --traceback shows it
            raise CommandError(f"{type(exc).__name__}: {_in_a_line(exc)}") from exc

    def _list(self, *, json: bool, **_: Any) -> None:
        _discover()
        looking.show_jobs(known_jobs(), unwrapped(self.stdout), as_json=json)

    def _stats(
        self, *, jobs: list[str], minutes: int, json: bool, with_failures: bool, **_: Any
    ) -> None:
        names = [find_job(name).name for name in jobs]
        looking.show_figures(
            names, minutes, unwrapped(self.stdout), as_json=json, with_traceback=with_failures
        )

    def _explain(self, *, json: bool, **options: Any) -> None:
        looking.show_explanation(_call(**options), unwrapped(self.stdout), as_json=json)

    def _invalidate(self, **options: Any) -> None:
        self._act("invalidated", KnownCall.invalidate, invalidate_tags, **options)

    def _delete(self, **options: Any) -> None:
        self._act("deleted", KnownCall.delete, delete_tags, **options)

    def _act(
        self,
        done: str,
        act: Callable[[KnownCall], None],
        act_on_tags: Callable[..., None],
        *,
        tags: list[str],
        json: bool,
        job: str | None,
        **options: Any,
    ) -> None:
        if bool(tags) == bool(job):
            raise CommandError("name a job and its arguments, or tags with --tag")
        if job:
            call = _call(job=job, **options)
            act(call)
            self._tell({"job": call.name, "key": call.key, "done": done}, as_json=json)
        else:
            with outages.told():
                act_on_tags(*tags)
            self._tell({"tags": tags, "done": done}, as_json=json)

    def _refresh(self, *, source: str | None, json: bool, **options: Any) -> None:
        if source is not None:
            self._fetch_many(source=source, json=json, only_missing=False, **options)
            return
        call = _call(**options)
        try:
            value = call.refresh()
        except Exception as exc:
            if isinstance(exc, CacheUnavailable):
                raise
            what = f"{type(exc).__name__}: {_in_a_line(exc)}"
            raise CommandError(f"{call.name} failed: {what}") from exc
        shown = {"job": call.name, "key": call.key, "done": "refreshed"}
        self._tell({**shown, "value": output.value(value)}, as_json=json)

    def _warm(self, **options: Any) -> None:
        self._fetch_many(only_missing=True, **options)

    def _fetch_many(
        self,
        *,
        job: str,
        source: str | None,
        arguments: str,
        kwargs: str,
        init: str,
        workers: int,
        only_missing: bool,
        json: bool,
        **_: Any,
    ) -> None:
        known, made_by = find_job(job), _init_call(init)
        if arguments or kwargs:
            calls: Any = [parse_call(arguments, kwargs)]
        elif source is not None:
            calls = _lines(source)
        else:
            calls = _calls_to_warm(known, made_by)
        tally = fetching.Tally()
        bar = console.progress(fetching.number_of(calls), known.name, unwrapped(self.stderr))
        try:
            with bar as progress:
                fetching.fetch_all(
                    (known.call(call, made_by) for call in calls),
                    workers=workers,
                    only_missing=only_missing,
                    advance=progress.advance,
                    tally=tally,
                )
        finally:
            self._report(known, tally, as_json=json)
        if tally.failed:
            raise CommandError(f"{tally.failed} of {known.name} could not be fetched")

    def _report(self, known: KnownJob, tally: fetching.Tally, *, as_json: bool) -> None:
        counts = {"fetched": tally.fetched, "fresh": tally.fresh, "failed": tally.failed}
        shown = {"job": known.name, **counts, "errors": tally.errors}
        if as_json:
            output.write_json(shown, unwrapped(self.stdout))
            return
        for error in tally.errors:
            self.stderr.write(error)
        stream = unwrapped(self.stdout)
        stream.write(", ".join(f"{number} {name}" for name, number in counts.items()) + "\n")

    def _tell(self, content: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            output.write_json(content, unwrapped(self.stdout))
        else:
            console.table("", ["what", "is"], list(content.items()), unwrapped(self.stdout))


class _Adder:
    """Adds subcommands with the options that they have in common."""

    def __init__(self, topics: Any) -> None:
        self._topics = topics

    def __call__(self, name: str, about: str) -> Any:
        parser = self._topics.add_parser(name, help=about, description=about)
        parser.add_argument("--json", action="store_true", help="for machines")
        for option in ("--settings", "--pythonpath"):
            # Django has acted on them already, and takes them before the subcommand only.
            parser.add_argument(option, default=SUPPRESS, help=SUPPRESS)
        for flag in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
            parser.add_argument(flag, action="store_true", default=SUPPRESS, help=SUPPRESS)
        return parser

    def with_call(self, name: str, about: str, nargs: str | None = None) -> Any:
        parser = self(name, about)
        parser.add_argument("job", nargs=nargs, metavar="JOB", help="as in shop.jobs.Report")
        parser.add_argument(
            "arguments",
            nargs="?",
            default="",
            metavar="ARGS",
            help="a JSON list, as in '[\"2026\", 3]'",
        )
        parser.add_argument("--kwargs", default="", help="a JSON object, as in '{\"deep\": true}'")
        parser.add_argument(
            "--init",
            default="",
            metavar="JSON",
            help="what the job itself is made with: a list or an object",
        )
        return parser


def _in_a_line(exc: Exception) -> str:
    return " ".join(str(exc).split())


def _call(*, job: str, arguments: str, kwargs: str, init: str, **_: Any) -> KnownCall:
    return find_job(job).call(parse_call(arguments, kwargs), _init_call(init))


def _init_call(init: str) -> Call:
    return parse_line(init) if init else Call()


def _discover() -> None:
    try:
        discover()
    except Exception as exc:  # a module of the site may raise anything on its import
        raise CommandError(f"the site's modules cannot be imported: {exc}") from exc


def _lines(source: str) -> Any:
    """Return the calls in a file, all of them read, so that their number is known; or those that
    standard input has, as they come."""
    if source == "-":
        return _numbered(iter(sys.stdin))
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"{source} cannot be read: {exc}") from exc
    return list(_numbered(iter(text.splitlines())))


def _numbered(lines: Iterator[str]) -> Iterator[Call]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield parse_line(line)
            except BadArguments as exc:
                raise BadArguments(f"line {number}: {exc}") from exc


def _calls_to_warm(known: KnownJob, init: Call) -> list[Call]:
    calls = [as_call(call) for call in known.job(*init.args, **init.kwargs).calls_to_warm()]
    if not calls:
        raise CommandError(
            f"{known.name} has no calls_to_warm(): give the arguments, or a file with --from"
        )
    return calls


def _minutes(text: str) -> int:
    return _between(text, 1, 60)


def _workers(text: str) -> int:
    return _between(text, 1, 100)


def _between(text: str, least: int, most: int) -> int:
    if text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise ArgumentTypeError(f"a number from {least} to {most}, not {text}")
