"""The command: ``python -m proof model|chaos|soak``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from . import set_up, tables


def main() -> int:
    """Run what the arguments say; return 1 when a guarantee was broken."""
    parser = argparse.ArgumentParser("proof", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    model = commands.add_parser("model", help="every interleaving of a few callers")
    model.add_argument("--thin", type=int, default=12, help="explore one scenario in so many (12)")
    jobs = os.cpu_count() or 1
    model.add_argument("--jobs", type=int, default=jobs, help=f"processes (default {jobs})")
    for name, default, text in (
        ("chaos", 180.0, "a site under load while everything fails"),
        ("soak", 120.0, "hours of use in minutes: memory, and keys in Redis"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--seconds", type=float, default=default, help=f"default {default:g}")
        command.add_argument("--seed", type=int, default=1)
    for command in commands.choices.values():
        command.add_argument(
            "--write", action="store_true", help="write the table in docs/proof.md"
        )
        command.add_argument("--json", metavar="FILE", help="the result for machines")
    options = parser.parse_args()
    set_up()
    made = {"model": _model, "chaos": _site, "soak": _site}[options.command](options)
    for section, lines in made.tables.items():
        print(tables.as_text(lines), end="\n\n")
        if options.write:
            tables.write(section, lines, " ".join(["python -m proof", *_shown(sys.argv[1:])]))
    for violation in made.violations[:20]:
        print(violation, file=sys.stderr)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"tables": made.tables, "violations": made.violations}, file, indent=1)
    return 1 if made.violations else 0


def _shown(arguments: Sequence[str]) -> list[str]:
    return [argument for argument in arguments if argument != "--write"]


def _model(options: argparse.Namespace) -> tables.Made:
    from .model import run

    lines, violations = [run.HEAD], []
    for part, tally in run.explore(options.thin, options.jobs, sys.stderr):
        lines.append(part.line(tally))
        violations += [str(violation) for violation in tally.violations]
    faults = run.faults()
    violations += [f"not found: {fault[0]}" for fault in faults[1:] if fault[-1] != "yes"]
    return tables.Made({"model": lines, "faults": faults}, violations)


def _site(options: argparse.Namespace) -> tables.Made:
    from .chaos import run as chaos
    from .soak import run as soak

    run = chaos.run if options.command == "chaos" else soak.run
    outcome = run(options.seconds, options.seed)
    return tables.Made({options.command: outcome.lines()}, outcome.violations)


if __name__ == "__main__":
    sys.exit(main())
