"""Builds the site, breaks it, and hands its journal over to be judged."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from proof.outcome import Outcome
from tests import services
from tests.addresses import RABBITMQ_URL, Site
from tests.queues.proxy import proxy

from . import journal
from .faults import Courier, Scene, Workers
from .jobs import DOWN
from .verdict import Verdict

SETTINGS = "proof.chaos.settings"
PRICES = [f"price-{number}" for number in range(6)]
REPORTS = [f"report-{number}" for number in range(6)]
CLOCK_AHEAD = 60.0
RECOVERY = 6.0
"""Seconds of load without faults at the end: two ``lifetime``s of what becomes stale by itself."""


def run(seconds: float, seed: int = 0) -> Outcome:
    """Keep the site under load for about ``seconds``, with one fault after another."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cacheback-chaos-")))
        events = folder / "journal"
        events.mkdir()
        scene, site, processes = _build(stack, folder, events, seed)
        began = time.monotonic()
        loads = [
            processes._start("load", command, site, env)
            for command, env in _loads(seconds + RECOVERY, seed, events)
        ]
        disturbed = [*_break(scene, began + seconds, random.Random(seed))]
        for load in loads:
            load._popen.wait(seconds + 60)
            if load._popen.returncode:
                raise RuntimeError(f"a web process ended early\n{load.log[-3000:]}")
        scene.workers.settle()
        counts = {
            "workers killed": scene.workers.killed,
            "messages lost": scene.courier.lost,
            "messages delivered late and twice": scene.courier.late,
            "messages carried": scene.courier.carried,
        }
        return Verdict(list(journal.read(events)), disturbed).outcome(counts)


def _build(
    stack: ExitStack, folder: Path, events: Path, seed: int
) -> tuple[Scene, Site, services.Processes]:
    services.check_rabbitmq(RABBITMQ_URL)
    redis = stack.enter_context(services.redis_server())
    broker = stack.enter_context(proxy(RABBITMQ_URL))
    queue = stack.enter_context(services.rabbitmq_queue(RABBITMQ_URL))
    carried = stack.enter_context(services.rabbitmq_queue(RABBITMQ_URL))
    database = stack.enter_context(services.postgres_database())
    site = Site(cache=redis.url(), broker=broker.url, database=database, celery_queue=queue)
    draw = random.Random(seed)
    courier = stack.enter_context(Courier(RABBITMQ_URL, queue, carried, draw))
    processes = services.Processes(folder)
    stack.callback(processes.close)
    env = _env(events)
    processes._start("create", [sys.executable, "-c", _CREATE], site, env)._popen.wait(30)
    options = ("--without-heartbeat",)

    def worker() -> services.Process:
        return processes.celery_worker(
            replace(site, celery_queue=carried),
            pool="threads",
            concurrency=4,
            options=options,
            env=env,
        )

    scene = Scene(redis, broker, Workers(worker, 2), courier, events / DOWN)
    return scene, site, processes


_CREATE = (
    "import django; django.setup(); from proof.chaos import jobs, run;"
    " jobs.create(run.PRICES + run.REPORTS)"
)


def _env(events: Path, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": SETTINGS, journal.FOLDER: str(events), **more}


def _loads(seconds: float, seed: int, events: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Return the web processes' commands: two with a clock that is right, one that is ahead."""
    for number, (keys, clock) in enumerate(
        [(PRICES + REPORTS, 0.0), (PRICES + REPORTS, 0.0), (REPORTS, CLOCK_AHEAD)]
    ):
        command = [sys.executable, "-m", "proof.chaos.load", str(seconds), "4", f"{seed}{number}"]
        yield [*command, *keys], _env(events, PROOF_CLOCK=str(clock))


def _break(
    scene: Scene, deadline: float, draw: random.Random
) -> Iterator[tuple[str, float, float]]:
    """Bring about one fault after another; return when each began and ended."""
    faults: list[Any] = []
    time.sleep(2.0)  # for the load to begin
    while time.monotonic() < deadline:
        if not faults:
            faults = list(scene.faults().items())
            draw.shuffle(faults)
        name, fault = faults.pop()
        began = time.monotonic()
        with fault():
            time.sleep(draw.uniform(0.5, 2.5))
        yield name, began, time.monotonic()
        time.sleep(draw.uniform(0.5, 1.2))
