"""The web process of the soak: ``python -m proof.soak.load SECONDS SEED``."""

from __future__ import annotations

import random
import sys
import threading
import time
from contextlib import suppress

import django

KEYS = 500
NEAR = 500
"""Values that the process remembers, so that the bound is reached in seconds."""


def _work(deadline: float, draw: random.Random, once: list[int]) -> None:
    from cacheback_app import invalidate_tags

    from .jobs import Page, Tagged

    page, tagged = Page(), Tagged()
    while time.monotonic() < deadline:
        number = draw.randrange(KEYS)
        once[0] += 1
        for act in (
            lambda: page.get(number),  # noqa: B023 - called at once
            lambda: tagged.get(number),  # noqa: B023
            lambda: page.get_many([(each,) for each in range(5)]),
            # What is asked for once, and never again: most of a busy site's keys.
            lambda: page.get(1_000_000 + 100 * once[0]),
        ):
            with suppress(ConnectionError):
                act()
        if draw.random() < 0.05:
            page.invalidate(number)
            tagged.delete(number)
        if draw.random() < 0.01:
            invalidate_tags(f"shelf:{number % 20}")
        time.sleep(0.002)


def main(seconds: str, seed: str) -> None:
    """Work for that many seconds."""
    django.setup()
    from cacheback_app.engine.near import near
    from tests import celery_app

    celery_app.app.set_default()
    near._capacity = NEAR
    deadline, once = time.monotonic() + float(seconds), [0]
    threads = [
        threading.Thread(target=_work, args=(deadline, random.Random(f"{seed}{n}"), once))
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
