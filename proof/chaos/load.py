"""One web process of the site: threads that read and change, until they are told to end.

``python -m proof.chaos.load SECONDS THREADS SEED KEY...``; the environment says the rest, and by
how many seconds this process's clock is off (``PROOF_CLOCK``).
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def set_clock(offset: float) -> None:
    """Let ``time.time()`` be off by ``offset`` seconds in this process."""
    right = time.time
    time.time = lambda: right() + offset


@contextmanager
def _locked(key: str) -> Iterator[None]:
    """Let one process change ``key`` at a time: which of two writers was last is for the site to
    settle, not for its cache."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [key])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [key])


def _invalidate(key: str) -> int:
    """Change a row as most sites do: in a transaction, with the invalidation in it."""
    from django.db import transaction

    from .jobs import job_of, move_on

    with transaction.atomic():
        number = move_on(key)
        job_of(key).invalidate(key)
    return number


def _delete(key: str) -> int:
    from .jobs import job_of, move_on

    number = move_on(key)
    job_of(key).delete(key)
    return number


def _set(key: str) -> int:
    from .jobs import job_of, move_on

    began = time.monotonic()
    number = move_on(key)
    job_of(key).set(key, data={"origin": "set", "number": number, "began": began})
    return number


CHANGES = {"invalidate": _invalidate, "delete": _delete, "set": _set}


def change(kind: str, key: str) -> None:
    """Change the upstream and tell the cache, and write both down."""
    from . import journal

    with _locked(key):
        began = time.monotonic()
        number = CHANGES[kind](key)
        journal.write("change", kind=kind, key=key, number=number, began=began)


def request(key: str) -> None:
    """Read what is cached, as a page does, and write down what it was and how long it took."""
    from . import journal
    from .jobs import UpstreamDown, job_of

    began = time.monotonic()
    try:
        value, status = job_of(key).get(key)
    except UpstreamDown:
        journal.write("get failed", key=key, began=began)
        return
    facts = {name: value[name] for name in ("origin", "number")} if value else {}
    born = value["began"] if value else None
    journal.write("get", key=key, began=began, status=status, born=born, **facts)


def _serve(keys: Sequence[str], deadline: float, draw: random.Random) -> None:
    from django.db import connection

    from . import journal

    while time.monotonic() < deadline:
        key = draw.choice(keys)
        try:
            # About one change a key and several seconds, so that much can happen in between.
            if draw.random() < 0.01:
                change(draw.choice(["invalidate", "invalidate", "set", "delete"]), key)
            else:
                request(key)
        except Exception as exc:
            journal.write("error", key=key, error=f"{type(exc).__name__}: {exc}")
        time.sleep(draw.uniform(0.0, 0.02))
    connection.close()


def main(seconds: str, threads: str, seed: str, *keys: str) -> None:
    """Serve for that many seconds."""
    set_clock(float(os.environ.get("PROOF_CLOCK", "0")))
    import django

    django.setup()
    from cacheback_app import signals
    from tests import celery_app

    from . import journal

    celery_app.app.set_default()

    def failed(exception: Exception, **details: object) -> None:
        journal.write("cache failed", error=type(exception).__name__)

    signals.cache_failed.connect(failed, weak=False)
    deadline = time.monotonic() + float(seconds)
    workers = [
        threading.Thread(
            target=_serve,
            args=(keys, deadline, random.Random(f"{seed}-{number}")),
        )
        for number in range(int(threads))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    from cacheback_app.queues.handoff import handoff

    handoff.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
