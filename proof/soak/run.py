"""Runs the soak and looks at the memory of its processes and at the keys in Redis meanwhile."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from proof.outcome import Outcome
from tests import services
from tests.addresses import Site

from .jobs import SPEED

GROWTH = 1.05
"""What counts as flat: the most in the last third is within 5 % of the most in the second, ..."""
GRAIN = {"MB": 2.0, "keys": 1000.0}
"""... or within what one thread's arena makes. Each of the thousand keys may leave a lease, for an
hour, when a claim lapses or a fetch fails."""


def run(seconds: float, seed: int = 1) -> Outcome:
    """Use the site for ``seconds``; the first third is for everything to fill up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cacheback-soak-")))
        redis = stack.enter_context(services.redis_server())
        site = Site(cache=redis.url(0), broker=redis.url(1))
        processes = services.Processes(folder)
        stack.callback(processes.close)
        env = {"DJANGO_SETTINGS_MODULE": "proof.chaos.settings"}
        worker = processes.celery_worker(site, pool="threads", concurrency=4, env=env)
        command = [sys.executable, "-m", "proof.soak.load", str(seconds), str(seed)]
        web = processes._start("soak", command, site, env)
        samples: dict[str, list[float]] = {"web process": [], "worker": [], "Redis": []}
        client, began = redis.client(0), time.monotonic()
        while time.monotonic() < began + seconds and web.is_alive:
            samples["web process"].append(_rss(web.pid))
            samples["worker"].append(_rss(worker.pid))
            samples["Redis"].append(client.dbsize())
            time.sleep(0.25)
        if web._popen.wait(30):
            raise RuntimeError(f"the web process ended early\n{web.log[-3000:]}")
        hits = redis.client(0).info("stats")["total_commands_processed"]
    out = Outcome(
        {
            "seconds": f"{seconds:g}, as {seconds * SPEED / 3600:.1f} hours of usual lifetimes",
            "commands that Redis did": f"{hits:,}",
        }
    )
    for name, series in samples.items():
        _judge(out, name, series, "keys" if name == "Redis" else "MB")
    return out


def _rss(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    line = next((line for line in text.splitlines() if line.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) / 1024


def _judge(out: Outcome, name: str, series: Sequence[float], unit: str) -> None:
    third = len(series) // 3
    first, second, last = (
        max(part, default=0.0)
        for part in (series[:third], series[third : 2 * third], series[2 * third :])
    )
    bound = max(second * GROWTH, second + GRAIN[unit])
    shown = f"{first:.0f}, {second:.0f}, {last:.0f} {unit}"
    problem = f"{name}: {last:.0f} {unit} after {second:.0f}"
    out.add(
        (f"{name}: most in each third", shown, f"last <= {bound:.0f} {unit}"),
        [problem] if last > bound else [],
    )
