"""Fixtures of the tests of statistics, commands, metrics and traces."""

from collections.abc import Iterator
from typing import Any

import pytest

from cacheback_app.engine.tallies import tallies
from cacheback_app.stats import flushing
from cacheback_app.stats.collecting import collector
from cacheback_app.stats.flushing import flusher


@pytest.fixture
def counting(settings: Any) -> Iterator[None]:
    """Statistics, shared only when a test says so; nothing was collected before."""
    flusher.stop()
    settings.CACHEBACK_STATS_INTERVAL = 3600
    settings.CACHEBACK_STATS = True
    tallies.take()
    collector._reset()
    yield
    flusher.stop()
    collector._reset()


@pytest.fixture
def sharing_by_itself(counting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sharing as on a site: by a thread, which tests have not."""
    monkeypatch.setattr(flushing, "is_test_run", lambda: False)
