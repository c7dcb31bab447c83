"""Changes inside of a transaction take effect at once, and again after the commit."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from django.db import connection, transaction

from cacheback_app import Job, delete_tags, invalidate_tags
from cacheback_app.engine import transactions
from tests.addresses import Site
from tests.jobs.support import CaptureQueue, Source, TaggedSource, captured, path_of
from tests.services import Processes


class Oops(Exception):
    pass


def cached() -> TaggedSource:
    job = TaggedSource()
    job.set("x", data="old")
    return job


def sent() -> int:
    """Return how many refreshes were dispatched since this was asked last."""
    queue = captured()
    count = len(queue.sent)
    queue.sent.clear()
    return count


def clean() -> TaggedSource:
    """Return a job with a fresh value, of which nothing is on its way."""
    job = cached()
    job.delete("x")
    job.set("x", data="old")
    sent()
    return job


def invalidate_and_roll_back(job: Job) -> None:
    with contextlib.suppress(Oops), transaction.atomic():
        job.invalidate("x")
        raise Oops


def of_values() -> Iterator[tuple[str, Any]]:
    """Yield what is to be told of changes of one value."""
    job = clean()
    with transaction.atomic():
        job.invalidate("x")
        yield "invalidate, within", [job.explain("x").status, sent()]
    yield "invalidate, after", [job.explain("x").status, sent()]

    job = clean()
    with transaction.atomic():
        job.invalidate("x")
        job.set("x", data="read before the commit")
    yield "again after the commit", [job.explain("x").status, sent()]

    job = clean()
    with transaction.atomic():
        job.delete("x")
        yield "delete, within", job.raw_get("x") is None
        job.set("x", data="read before the commit")
    yield "delete, after", [job.raw_get("x") is None, sent()]

    job = clean()
    invalidate_and_roll_back(job)
    yield "rollback", [job.explain("x").status, sent()]

    job = clean()
    with transaction.atomic():
        for _ in range(10):
            job.invalidate("x")
    yield "coalesced", sent()

    job = clean()
    with transaction.atomic():
        job.delete("missing")
        job.invalidate("missing")
    yield "nothing cached", sent()


def of_savepoints() -> Iterator[tuple[str, Any]]:
    """Yield what is to be told of transactions within a transaction."""
    job = clean()
    with transaction.atomic():
        with transaction.atomic():
            job.invalidate("x")
        yield "savepoint, within", sent()
    yield "savepoint, after", sent()

    job = clean()
    with transaction.atomic():
        invalidate_and_roll_back(job)
    yield "savepoint rolled back", sent()

    job = clean()
    with transaction.atomic():
        job.invalidate("x")
        invalidate_and_roll_back(job)
    yield "outer kept", sent()

    job = clean()
    with transaction.atomic():
        invalidate_and_roll_back(job)
        job.invalidate("x")
    yield "again after a savepoint", sent()


def of_tags() -> Iterator[tuple[str, Any]]:
    """Yield what is to be told of changes of all that has a tag."""
    job = clean()
    with transaction.atomic():
        invalidate_tags("all")
        job.set("x", data="read before the commit")
    yield "tags", [job.explain("x").status, sent()]

    job = clean()
    with transaction.atomic():
        delete_tags("all")
        yield "tags deleted, within", job.raw_get("x") is None
        job.set("x", data="read before the commit")
    yield "tags deleted", job.raw_get("x") is None


def scenarios() -> dict[str, Any]:
    """Return what happens in each of several transactions: what a test asserts, from within
    any process and over any database."""
    return dict(chain(of_values(), of_savepoints(), of_tags()))


EXPECTED = {
    "invalidate, within": [Job.STALE, 0],
    "invalidate, after": [Job.STALE, 1],
    "again after the commit": [Job.STALE, 1],
    "delete, within": True,
    "delete, after": [True, 0],
    "rollback": [Job.STALE, 0],
    "coalesced": 1,
    "savepoint, within": 0,
    "savepoint, after": 1,
    "savepoint rolled back": 0,
    "outer kept": 1,
    "again after a savepoint": 1,
    "tags": [Job.STALE, 0],
    "tags deleted, within": True,
    "tags deleted": True,
    "nothing cached": 0,
}


def run_scenarios(index: int) -> dict[str, Any]:
    """:func:`scenarios` in a process of its own."""
    return scenarios()


@pytest.mark.django_db(transaction=True)
def test_on_sqlite(only_local: None, capture: CaptureQueue) -> None:
    """Changes act at once and again after the outermost commit, which dispatches, once each;
    a rollback dispatches nothing (J12)."""
    assert scenarios() == EXPECTED


def test_on_postgresql(postgres: str, processes: Processes) -> None:
    """The same on PostgreSQL (J12)."""
    site = Site(cache="t", backend="locmem", queue=path_of(CaptureQueue), database=postgres)
    assert processes.run(site, 1, run_scenarios) == [EXPECTED]


def test_on_mariadb(mariadb: str, processes: Processes) -> None:
    """The same on MariaDB (J12)."""
    site = Site(cache="t", backend="locmem", queue=path_of(CaptureQueue), database=mariadb)
    assert processes.run(site, 1, run_scenarios) == [EXPECTED]


@pytest.mark.django_db(transaction=True)
class TestHooks:
    """What is done after the commit, and how often."""

    @pytest.fixture
    def acts(self) -> list[str]:
        return []

    @pytest.fixture
    def ask(self, acts: list[str]) -> Callable[..., bool]:
        return lambda what: transactions.after_commit(what, lambda: acts.append(what))

    def test_outside(self, ask: Any, acts: list[str]) -> None:
        """Outside of a transaction there is nothing to wait for (J12)."""
        assert ask("a") is False and acts == []

    def test_once_each(self, ask: Any, acts: list[str]) -> None:
        """Equal actions are done once a transaction, in the order of asking (J12)."""
        for _ in range(2):
            with transaction.atomic():
                assert [ask(what) for what in "abacb"] == [True] * 5
                assert acts == []
            assert acts == ["a", "b", "c"]
            acts.clear()

    def test_a_rolled_back_savepoint_leaves_the_others(self, ask: Any, acts: list[str]) -> None:
        """What was asked for outside of a savepoint that is rolled back is done, once, whether
        it was asked for before or after or inside as well (J12)."""
        with transaction.atomic():
            ask("before")
            ask("both")
            with contextlib.suppress(Oops), transaction.atomic():
                ask("inside")
                ask("both")
                with transaction.atomic():
                    ask("deeper")
                raise Oops
            ask("both")
            ask("before")
            ask("after")
        assert sorted(acts) == ["after", "before", "both"]

    def test_a_kept_savepoint(self, ask: Any, acts: list[str]) -> None:
        """What was asked for in a savepoint that is kept is done once (J12)."""
        with transaction.atomic():
            with transaction.atomic():
                ask("a")
            with transaction.atomic(savepoint=False):
                ask("a")
            ask("a")
        assert acts == ["a"]

    def test_rollback(self, ask: Any, acts: list[str]) -> None:
        """After a rollback nothing is done, and the next transaction begins anew (J12)."""
        with contextlib.suppress(Oops), transaction.atomic():
            ask("a")
            raise Oops
        assert acts == []
        with transaction.atomic():
            ask("a")
        assert acts == ["a"]

    def test_a_transaction_marked_for_rollback(self, ask: Any, acts: list[str]) -> None:
        """Nor after one that was only marked for rollback (J12)."""
        with transaction.atomic():
            ask("a")
            transaction.set_rollback(True)
        assert acts == []

    def test_asked_for_by_a_hook(self, ask: Any, acts: list[str]) -> None:
        """What is asked for after the commit, in a hook, acts at once (J12)."""
        with transaction.atomic():
            transaction.on_commit(lambda: acts.append(f"waits: {ask('a')}"))
        assert acts == ["waits: False"]


@pytest.mark.django_db(transaction=True)
def test_the_worker_reads_what_was_committed(only_local: None, capture: CaptureQueue) -> None:
    """A value that is refreshed between the change and the commit is not the last word (J12,
    J5)."""
    job = Source()
    job.set("x", data="old row")
    job.at.value = "old row"
    with transaction.atomic():
        job.invalidate("x")
        assert job.get("x") == "old row"  # a reader, elsewhere, dispatches
        assert capture.run_all() == [True]
        assert job.explain("x").status == Job.HIT
        job.at.value = "new row"
    assert job.explain("x").status == Job.STALE
    assert capture.run_all() == [True]
    assert job.get("x") == "new row"


@pytest.mark.django_db(transaction=True)
def test_a_fetch_that_runs_over_the_commit(only_local: None, capture: CaptureQueue) -> None:
    """A fetch that began before the commit does not count as fresh after it (J12, J5)."""
    from cacheback_app.engine import reading
    from cacheback_app.engine.flow import Fetch
    from tests.jobs.support import Steps, slot_of

    job = Source()
    with transaction.atomic():
        job.delete("x")
        steps = Steps(reading.get(slot_of(job, "x")))
        steps.run_until(Fetch)
        steps.run_next()
    steps.finish()
    assert job.raw_get("x") is None


@pytest.mark.django_db
def test_inside_of_a_test_case(only_local: None, capture: CaptureQueue) -> None:
    """The transaction that a ``TestCase`` opens around a test is none of the site's (J12)."""
    assert connection.in_atomic_block
    job = cached()
    job.invalidate("x")
    assert len(capture.sent) == 1


@pytest.mark.django_db
def test_captured_hooks(
    only_local: None, capture: CaptureQueue, django_capture_on_commit_callbacks: Any
) -> None:
    """A block inside of a ``TestCase`` is a transaction, whose hooks can be captured (J12)."""
    job = cached()
    with django_capture_on_commit_callbacks(execute=True) as hooks, transaction.atomic():
        job.invalidate("x")
        assert capture.sent == []
    assert len(hooks) == 1 and len(capture.sent) == 1
