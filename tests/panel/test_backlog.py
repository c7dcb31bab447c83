"""What the figures tell of workers that are gone."""

import time
from typing import Any

import pytest

from cacheback_app.panel import backlog
from cacheback_app.stats import JobFigures
from cacheback_app.stats.amounts import Amounts

NOW = 1_000_000


@pytest.fixture(autouse=True)
def at_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is half a minute after the beginning of the minute ``NOW``."""
    monkeypatch.setattr(time, "time", lambda: NOW * 60.0 + 30)


def figures(**minutes: Amounts) -> JobFigures:
    """Return figures with these amounts; ``ago2`` is what happened two minutes ago."""
    by_minute = {NOW - int(name.removeprefix("ago")): amounts for name, amounts in minutes.items()}
    total: Amounts = {}
    for amounts in by_minute.values():
        for name, number in amounts.items():
            total[name] = total.get(name, 0) + number
    return JobFigures.of(total, by_minute=by_minute, window=(NOW - 14, NOW + 1))


def sent(number: int) -> Amounts:
    """Return the amounts of refreshes that were dispatched."""
    return {"dispatched": number}


def came(number: int) -> Amounts:
    """Return the amounts of refreshes that workers did."""
    return {"refreshes": number, "lag.total": 0.5, "lag.max": 0.4, "lag.3": number}


CASES: dict[str, tuple[JobFigures, int, bool]] = {
    "nothing happened": (figures(), 0, False),
    "all came back": (figures(ago3={**sent(3), **came(3)}), 0, False),
    "some came back in the next minute": (figures(ago3=sent(3), ago2=came(3)), 0, False),
    "just dispatched": (figures(ago0=sent(2)), 2, False),
    "dispatched long ago": (figures(ago5=sent(2), ago3=sent(1)), 3, True),
    "the worker went in between": (figures(ago5={**sent(3), **came(2)}, ago4=sent(2)), 3, True),
    "it came again": (figures(ago5=sent(2), ago1={"skipped:no claim": 1}), 0, False),
    "its failures are a sign of life": (figures(ago5=sent(2), ago4={"failures": 2}), 0, False),
    "callers fetch by themselves": (figures(ago5=sent(2), ago4={"refreshes": 9}), 2, True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_did_not_come_back(case: tuple[JobFigures, int, bool]) -> None:
    """Counted is what was dispatched since a worker was last heard of; overdue is what is older
    than a minute and the time in which processes share their figures."""
    given, count, is_overdue = case
    found = backlog.of([given])
    assert (found.count, found.is_overdue) == (count, is_overdue)


def test_a_worker_that_is_heard_of_by_any_job_is_there() -> None:
    """Over all jobs, one that is refreshed shows that there is a worker."""
    stuck, busy = figures(ago5=sent(2)), figures(ago1={**sent(1), **came(1)})
    assert backlog.of([stuck]).is_overdue
    assert backlog.of([stuck, busy]) == backlog.Backlog(has_worked=True)


def test_the_overview_says_so(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line above every page asks whether a worker is running, and so does the job's row."""
    from cacheback_app import stats

    read = {"tests.panel.jobs.Figures": figures(ago5=sent(2), ago4=sent(1))}
    monkeypatch.setattr(stats, "read", lambda minutes: read)
    html = panel.get("/cacheback/?q=tests.panel").content.decode()
    assert "3 refreshes dispatched since" in html
    assert "is a worker running?" in html
    assert "3 refreshes waiting, none finished" in html
