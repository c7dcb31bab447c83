"""The command: ``python -m benchmarks``."""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from .environment import environment

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
PICTURES = DOCUMENT.parent / "pictures"


def main() -> int:
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="which to run; all by default")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md as well")
    options = parser.parse_args()
    if options.write and options.suites:
        parser.error("the document holds all suites; leave their names away")
    with environment() as services:
        from . import document, plots, report  # these read Django's settings
        from .suites import SUITES

        if unknown := set(options.suites) - SUITES.keys():
            parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
        sections: dict[str, list[report.Row]] = {}
        for name in options.suites or SUITES:
            suite = SUITES[name]
            if suite.redis and not services.has_redis:
                print(f"{name}: skipped, redis-server is not installed", file=sys.stderr)
                continue
            began = time.monotonic()
            with services.on_one_cpu() if suite.on_one_cpu else nullcontext():
                sections.setdefault(suite.section, []).extend(suite.run(services))
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        for section, rows in sections.items():
            print(f"\n{section}\n\n{report.as_text(rows)}")
        print(f"\n{report.versions()}")
        if options.write:
            DOCUMENT.write_text(document.render(sections, plots.write(sections, PICTURES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
