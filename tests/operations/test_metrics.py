"""Prometheus: what a scrape gives."""

import subprocess
import sys
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cacheback_app import metrics, stats
from tests.operations.shop import HERE, Broken, Report, mark_stale

pytestmark = pytest.mark.usefixtures("counting")


def scraped(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    return {
        name: float(number)
        for name, _, number in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def act() -> None:
    for _ in range(3):
        Report().get("2025")
    mark_stale(Report(), "2025")
    Report().get("2025")
    with pytest.raises(ValueError, match="no x"):
        Broken().get("x")


@pytest.mark.parametrize("scope", ["site", "process"])
def test_a_scrape(scope: str) -> None:
    """Reads by outcome, refresh times, failures and queue lag, per job, of the site or of the
    process (section 7)."""
    registry = CollectorRegistry()
    metrics.register(registry, scope=scope)
    act()
    stats.flush()
    found = scraped(registry)
    job = f'job="{HERE}.Report"'
    assert found[f'cacheback_reads_total{{{job},outcome="hit"}}'] == 2
    assert found[f'cacheback_reads_total{{{job},outcome="stale"}}'] == 1
    assert found[f'cacheback_reads_total{{{job},outcome="miss"}}'] == 1
    assert found[f'cacheback_dispatches_total{{{job},outcome="sent"}}'] == 1
    assert found[f"cacheback_refresh_seconds_count{{{job}}}"] == 2
    assert found[f'cacheback_refresh_seconds_bucket{{{job},le="+Inf"}}'] == 2
    assert 0 < found[f"cacheback_refresh_seconds_sum{{{job}}}"] < 10
    assert found[f"cacheback_queue_lag_seconds_count{{{job}}}"] == 1
    assert found[f'cacheback_failures_total{{job="{HERE}.Broken"}}'] == 1
    assert found["cacheback_up"] == 1
    assert not any("2025" in name for name in found), "no label has keys or arguments"


def test_a_scrape_is_up_to_date_and_never_counts_down() -> None:
    """A scrape of the site shares what its process did up to now, so that figures only grow
    whichever process is scraped (section 7)."""
    registry = CollectorRegistry()
    metrics.register(registry)
    act()
    miss = f'cacheback_reads_total{{job="{HERE}.Report",outcome="miss"}}'
    assert scraped(registry)[miss] == 1
    assert stats.totals()[f"{HERE}.Report"].misses == 1, "other processes tell it, too"
    assert scraped(registry)[miss] == 1


def test_registering_twice() -> None:
    """A second registration is refused, where a scrape would have had every metric twice, which
    Prometheus rejects as a whole (section 7)."""
    registry = CollectorRegistry(auto_describe=True)
    metrics.register(registry)
    with pytest.raises(ValueError, match="cacheback_up"):
        metrics.register(registry, scope="process")


def test_a_cache_that_is_down(settings: Any) -> None:
    """A scrape succeeds while the cache is down, and says so (section 7)."""
    registry = CollectorRegistry()
    metrics.register(registry)
    settings.CACHES = {"default": settings.CACHES["down"]}
    assert scraped(registry) == {"cacheback_up": 0}


def test_an_unknown_scope() -> None:
    """A scope that there is not is an error (section 7)."""
    with pytest.raises(ValueError, match="'site' or 'process'"):
        metrics.register(CollectorRegistry(), scope="galaxy")


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("metrics", "prometheus_client", "prometheus"),
        ("tracing", "opentelemetry", "otel"),
    ],
)
def test_without_the_extra(module: str, missing: str, extra: str) -> None:
    """Without the library, importing tells which extra has it; nothing else needs it (section
    7)."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import cacheback_app.stats\n"
        f"try: import cacheback_app.{module}\n"
        "except Exception as exc: print(type(exc).__name__, exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("ImproperlyConfigured")
    assert f"cacheback-app[{extra}]" in done.stdout
