"""Runs one function for a test in this process: ``python -m tests.process MODULE:FUNCTION ARGS``.

A line on standard output says that Django is set up; a line on standard input starts the function;
the last line of output is what came of it, as JSON.
"""

import contextlib
import json
import sys
import traceback
from importlib import import_module
from typing import Any

import django


def main(target: str, arguments: str) -> None:
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        django.setup()
        outcome: dict[str, Any]
        module, _, name = target.partition(":")
        function = getattr(import_module(module), name)
        print("ready", file=answers, flush=True)
        sys.stdin.readline()
        try:
            outcome = {"value": function(*json.loads(arguments))}
        except Exception:
            outcome = {"error": traceback.format_exc()}
    print(json.dumps(outcome), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
