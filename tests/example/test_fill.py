"""`manage.py fill_shelf`."""

import shutil
from typing import Any

import pytest
from django.core.management import call_command

from cacheback_app import Job
from example_project.shelf import jobs
from example_project.shelf.fill import fill
from example_project.shelf.models import Distribution, Requirement
from tests.example.made_up import MadeUp

pytestmark = pytest.mark.django_db


def test_filling_again_changes_nothing(environment: MadeUp, capsys: Any) -> None:
    """The command is idempotent and prints what it did."""
    environment.install("Tiny.Thing", {}, ["Requires-Dist: other>=1"])
    call_command("fill_shelf")
    before = list(Distribution.objects.values())
    call_command("fill_shelf")
    assert list(Distribution.objects.values()) == before
    assert Requirement.objects.count() == 1
    assert capsys.readouterr().out.splitlines() == [
        "1 distributions added, 0 changed, 0 removed, 0 unchanged; 1 requirements.",
        "0 distributions added, 0 changed, 0 removed, 1 unchanged; 1 requirements.",
    ]


def test_what_is_gone_is_removed_and_what_differs_is_changed(environment: MadeUp) -> None:
    """The tables say what is installed now, and a row keeps its id."""
    environment.install("stays", {})
    environment.install("goes", {})
    fill()
    kept = Distribution.objects.get(key="stays").pk
    shutil.rmtree(environment.folder / "goes-1.0.dist-info")
    shutil.rmtree(environment.folder / "stays-1.0.dist-info")
    environment.install("stays", {}, ["Summary: anew"])
    filled = fill()
    assert (filled.added, filled.changed, filled.removed) == (0, 1, 1)
    assert list(Distribution.objects.values_list("pk", "summary")) == [(kept, "anew")]


def test_the_number_of_queries_does_not_grow(
    environment: MadeUp, django_assert_max_num_queries: Any
) -> None:
    """Fifty distributions are filled in one pass of bulk statements."""
    for number in range(50):
        environment.install(f"d{number}", {}, [f"Requires-Dist: d{number + 1}"])
    with django_assert_max_num_queries(12):
        assert fill().added == 50


def test_filling_invalidates_what_was_cached(site: MadeUp) -> None:
    """Whatever the pages cached from the shelf is stale after it was filled again."""
    cached: list[tuple[Any, Any, dict[str, str]]] = [
        (jobs.shelf.get, jobs.shelf.explain, {}),
        (jobs.totals, jobs.totals.explain, {}),
        (jobs.rows.get, jobs.rows.explain, {"key": "other"}),
        (jobs.reports.get, jobs.reports.explain, {"key": "other"}),
        (jobs.requirements.get, jobs.requirements.explain, {"distribution__key": "other"}),
    ]
    for get, explain, arguments in cached:
        get(**arguments)
        assert explain(**arguments).status == Job.HIT
    fill()
    for _, explain, arguments in cached:
        assert explain(**arguments).status == Job.STALE
