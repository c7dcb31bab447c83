"""``fake_clock``: section 7 of the contract."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from cacheback_app import Job
from cacheback_app.engine.near import near
from cacheback_app.testing import Clock, fake_clock
from tests.testing.jobs import Price


@pytest.mark.parametrize("duration", [90, 90.0, "90", "1m 30s", timedelta(seconds=90)])
def test_advance(duration: Any, cacheback_clock: Clock) -> None:
    """The clock stands still until it is moved, by seconds, text or a timedelta."""
    began = time.time()
    assert time.time() == began == cacheback_clock.time()
    cacheback_clock.advance(duration)
    assert time.time() == pytest.approx(began + 90, abs=1e-3)
    assert timezone.now() == cacheback_clock.now


@pytest.mark.parametrize("start", [datetime(2030, 1, 1, tzinfo=UTC), 1893456000, 1893456000.0])
def test_start(start: Any) -> None:
    """It begins where it is told to, and ends when the block does."""
    with fake_clock(start) as clock:
        assert clock.now == datetime(2030, 1, 1, tzinfo=UTC)
    assert datetime.now(UTC).year != 2030


@pytest.mark.parametrize("duration", [-1, "yesterday", timedelta(seconds=-1)])
def test_never_back(duration: Any, cacheback_clock: Clock) -> None:
    """What is no duration is refused, and moves nothing."""
    began = time.time()
    with pytest.raises(ValueError, match="duration"):
        cacheback_clock.advance(duration)
    assert time.time() == began


def test_ticking() -> None:
    """With ``tick`` time passes by itself, too."""
    with fake_clock(0.0 + 10, tick=True) as clock:
        clock.advance(5)
        assert 15 <= time.time() < 1000
        began = time.time_ns()
        while time.time_ns() == began:
            pass


def test_monotonic_time_goes_on(cacheback_clock: Clock) -> None:
    """Timeouts and pauses are those of the real world."""
    began = time.monotonic()
    time.sleep(0.001)
    assert time.monotonic() > began


def test_a_value_ages(alias: str, cacheback_clock: Clock) -> None:
    """On every cache a value goes stale, and is gone, by the clock of the process that reads it
    (J6)."""
    job = Price().using(lifetime="10m", cache_ttl="1h")
    job.get()
    cacheback_clock.advance("9m 59s")
    assert (job.explain().status, round(job.explain().age or 0)) == (Job.HIT, 599)
    cacheback_clock.advance(1)
    assert job.explain().status == Job.STALE
    cacheback_clock.advance("50m")
    assert job.explain().status == Job.MISS


def test_near_values_do_not_outlive_it() -> None:
    """What ``local_ttl`` kept by the moved clock is not served by the real one."""
    job = Price().using(local_ttl=60)
    with fake_clock() as clock:
        clock.advance("1 day")
        job.get()
        job.get()
        assert near._values
    assert not near._values
