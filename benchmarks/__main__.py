"""The command: ``python -m benchmarks``."""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from .environment import environment

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="which to run; all by default")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md as well")
    options = parser.parse_args()
    if options.write and options.suites:
        parser.error("the document holds all suites; leave their names away")
    with environment() as services:
        from . import document, report, suites  # these read Django's settings

        known = {**suites.LOCAL, **suites.REDIS}
        if unknown := set(options.suites) - known.keys():
            parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        rows = []
        for name in options.suites or known:
            if name in suites.REDIS and not services.has_redis:
                print(f"{name}: skipped, redis-server is not installed", file=sys.stderr)
                continue
            began = time.monotonic()
            is_pinned = name in suites.ON_ONE_CPU
            with services.on_one_cpu() if is_pinned else nullcontext():
                rows += known[name].run(services)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        print(report.as_text(rows))
        print(report.versions())
        if options.write:
            DOCUMENT.write_text(document.render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
