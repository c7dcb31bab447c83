"""What was fetched before a change never counts as fresh after it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job, delete_tags, invalidate_tags
from cacheback_app.engine import bulk, changing, reading
from cacheback_app.engine.claims import claim_key, lease_key
from cacheback_app.engine.flow import Await, Fetch, Flow
from tests.jobs.support import (
    Background,
    CaptureQueue,
    Source,
    Steps,
    TaggedSource,
    elsewhere,
    make_stale,
    nothing,
    slot_of,
)

NAME = "x"

CHANGES: dict[str, Callable[[Source], object]] = {
    "set": lambda job: job.set(NAME, data="set"),
    "invalidate": lambda job: job.invalidate(NAME),
    "delete": lambda job: job.delete(NAME),
    "invalidate_tags": lambda job: invalidate_tags("all"),
    "delete_tags": lambda job: delete_tags(f"name:{NAME}"),
}


def miss(job: Source) -> Flow[Any]:
    return reading.get(slot_of(job, NAME))


def stale_refetch(job: Source) -> Flow[Any]:
    job.at.value = "older"
    job.refresh(NAME)
    make_stale(job, NAME)
    job.at.value = "old"
    job.at.calls.clear()
    return reading.get(slot_of(job.using(fetch_on_stale_threshold=0), NAME))


def refresh(job: Source) -> Flow[Any]:
    return changing.refresh(slot_of(job, NAME))


def many(job: Source) -> Flow[Any]:
    return bulk.get_many([slot_of(job, NAME), slot_of(job, "y")])


FLOWS = {"miss": miss, "stale": stale_refetch, "refresh": refresh, "get_many": many}


class ManySource(TaggedSource):
    def fetch_many(self, calls: Any) -> Any:
        return [self.fetch(*call.args) for call in calls]


def source(flow: str, alias: str) -> Source:
    return (ManySource if flow == "get_many" else TaggedSource)().using(cache_alias=alias)


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("flow", FLOWS)
def test_no_interleaving_leaves_an_old_value_fresh(
    flow: str, change: str, is_elsewhere: bool, alias: str, capture: CaptureQueue
) -> None:
    """Whenever a change comes between two steps of a fetch, here or in another process, what was
    fetched before it is not fresh after it, and nothing overwrites a ``set`` value (J5)."""
    at = 0
    while True:
        job = source(flow, alias)
        job.delete(NAME)
        job.delete("y")
        steps = Steps(FLOWS[flow](job))
        for _ in range(at):
            if not steps.is_done:
                steps.run_next()
        was_done, had_fetched = steps.is_done, NAME in job.at.calls
        job.at.value = "new"
        if is_elsewhere:
            with elsewhere():
                CHANGES[change](job)
        else:
            CHANGES[change](job)
        steps.finish()
        raw = job.raw_get(NAME)
        status = job.explain(NAME).status
        where = f"change before step {at}"
        assert not (status == Job.HIT and raw is not None and raw[1] == "old"), where
        if change == "set":
            kept = ("set",) if had_fetched else ("set", "new")
            assert (status, raw and raw[1] in kept) == (Job.HIT, True), where
        if change in ("delete", "delete_tags"):
            assert raw is None or raw[1] == "new", f"{where}: resurrected"
        assert job.get(NAME) in ("new", "set") or status == Job.STALE, where
        if was_done:
            return
        at += 1


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("flow", ["miss", "get_many"])
def test_a_reader_after_the_change_is_not_given_what_was_fetched_before_it(
    flow: str, change: str, is_elsewhere: bool, alias: str, capture: CaptureQueue
) -> None:
    """A ``get`` of a missing value that begins after a change does not join the fetch that
    began before it, or at least does not take its value (J5, J3)."""
    job = source(flow, alias)
    steps = Steps(FLOWS[flow](job))
    steps.run_until(Fetch)
    steps.run_next()  # has the old value, and has not stored it
    job.at.value = "new"
    if is_elsewhere:
        with elsewhere():
            CHANGES[change](job)
    else:
        CHANGES[change](job)
    reader = Steps(reading.get(slot_of(job.using(wait_timeout=5), NAME)))
    while not reader.is_done:
        if isinstance(reader.next, Await) or type(reader.next).__name__ == "Pause":
            steps.finish()
        reader.run_next()
    steps.finish()
    assert reader.result.value in ("new", "set")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_from_inside_of_the_fetch(change: str, alias: str, capture: CaptureQueue) -> None:
    """A fetch that itself changes its key is overtaken by that change (J5)."""
    job = TaggedSource().using(cache_alias=alias)

    def act() -> None:
        job.at.value = "new"
        CHANGES[change](job)

    job.at.after = act
    assert job.get(NAME) == "old"
    job.at.after = nothing
    explained = job.explain(NAME)
    raw = job.raw_get(NAME)
    if change == "set":
        assert raw is not None and raw[1] == "set" and explained.status == Job.HIT
    elif change == "invalidate_tags":
        assert explained.status != Job.HIT
    else:
        assert raw is None
    assert explained.claimed_until is None
    assert job.get(NAME) in ("set", "new", "old")


@pytest.mark.parametrize("change", ["set", "invalidate", "delete"])
def test_a_change_while_a_worker_fetches(change: str, alias: str, capture: CaptureQueue) -> None:
    """A background refresh that was overtaken stores nothing (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get(NAME)
    make_stale(job, NAME)
    # The worker's job is another object; both read one source.
    job.get(NAME)
    [call] = capture.sent
    capture.sent.clear()
    seen = job.at.calls

    def act() -> None:
        CHANGES[change](job)

    call.local.job.at.after = act  # type: ignore[union-attr]
    call.run()
    raw, explained = job.raw_get(NAME), job.explain(NAME)
    assert len(seen) == 2
    if change == "set":
        assert raw is not None and raw[1] == "set" and explained.status == Job.HIT
    elif change == "delete":
        assert raw is None
    else:
        assert explained.status == Job.STALE


def test_invalidate_during_a_refresh_has_another_one_run(alias: str, capture: CaptureQueue) -> None:
    """An invalidation while a refresh runs dispatches one that sees the new state (J5)."""
    job = Source().using(cache_alias=alias)
    job.get(NAME)
    steps = Steps(refresh(job))
    steps.run_until(Fetch)
    steps.run_next()
    job.at.value = "new"
    job.invalidate(NAME)
    steps.finish()
    assert job.explain(NAME).status == Job.STALE
    assert capture.run_all() == [True]
    assert job.raw_get(NAME)[1] == "new"  # type: ignore[index]


def test_a_fetch_whose_claim_lapsed_still_stores(alias: str) -> None:
    """A slow fetch that nobody overtook is stored, though its claim has lapsed (J3, J8)."""
    job = Source().using(cache_alias=alias)
    steps = Steps(miss(job))
    steps.run_until(Fetch)
    caches[alias].delete(claim_key(slot_of(job, NAME).key))
    steps.finish()
    assert job.explain(NAME).status == Job.HIT


def test_a_fetch_whose_claim_lapsed_does_not_overwrite_a_later_one(alias: str) -> None:
    """Of two fetches of one key, the value of the one that began later is kept (J5)."""
    job = Source().using(cache_alias=alias)
    slow = Steps(miss(job))
    slow.run_until(Fetch)
    slow.run_next()
    caches[alias].delete(claim_key(slot_of(job, NAME).key))
    job.at.value = "new"
    with elsewhere():
        assert job.get(NAME) == "new"
    slow.finish()
    assert job.raw_get(NAME)[1] == "new"  # type: ignore[index]


def overtaken(job: Source, alias: str) -> tuple[Steps, Steps, str]:
    """Return a fetch that lost its claim, the one that has the key now, and the latter's claim."""
    key = claim_key(slot_of(job, NAME).key)
    slow = Steps(miss(job))
    slow.run_until(Fetch)
    caches[alias].delete(key)
    with elsewhere():
        successor = Steps(miss(job))
        successor.run_until(Fetch)
    theirs = caches[alias].get(key)
    assert theirs is not None
    return slow, successor, theirs


def test_a_slow_fetch_does_not_release_the_claim_of_its_successor(alias: str) -> None:
    """Only the owner of a claim releases it (J8)."""
    job = Source().using(cache_alias=alias)
    key = claim_key(slot_of(job, NAME).key)
    slow, successor, theirs = overtaken(job, alias)
    slow.finish()
    assert caches[alias].get(key) == theirs
    successor.finish()
    assert caches[alias].get(key) is None


def test_a_failing_fetch_does_not_release_the_claim_of_its_successor(alias: str) -> None:
    """Only the owner of a claim releases it, also when its fetch raises (J8)."""
    job = Source().using(cache_alias=alias)
    key = claim_key(slot_of(job, NAME).key)
    job.at.value = ValueError("no")
    slow, successor, theirs = overtaken(job, alias)
    with pytest.raises(ValueError, match="no"):
        slow.finish()
    assert caches[alias].get(key) == theirs
    job.at.value = "new"
    successor.finish()
    assert job.raw_get(NAME)[1] == "new"  # type: ignore[index]


def test_delete_during_a_fetch_in_another_thread(alias: str) -> None:
    """With real threads: a deleted key stays deleted, though its fetch ends later (J5)."""
    job = Source().using(cache_alias=alias)
    begun, go_on = threading.Event(), threading.Event()

    def after() -> None:
        begun.set()
        go_on.wait(10)

    job.at.after = after
    fetching = Background(lambda: job.get(NAME))
    assert begun.wait(10)
    job.delete(NAME)
    go_on.set()
    assert fetching.result() == "old"
    assert job.raw_get(NAME) is None


def test_a_lost_lease_proves_nothing(alias: str) -> None:
    """A cache that lost the lease of a fetch may have lost an invalidation too: the value goes to
    its caller only (J5)."""
    job = Source().using(cache_alias=alias)
    steps = Steps(miss(job))
    steps.run_until(Fetch)
    caches[alias].delete(lease_key(job.key(NAME)))
    assert steps.finish().value == "old"
    assert job.raw_get(NAME) is None
    assert job.explain(NAME).claimed_until is None


class BulkSource(Source):
    """As :class:`Source`, fetching several at once."""

    def fetch_many(self, calls: Any) -> list[Any]:
        return [self.fetch(*call.args) for call in calls]


@pytest.mark.parametrize("how", ["get", "get_many"])
def test_who_finds_a_value_after_all_leaves_no_lease(how: str, alias: str) -> None:
    """A reader who missed what is stored before it claims gives the claim back, and the lease that
    it made: keys that are asked for once leave nothing behind (J8)."""
    job = BulkSource().using(cache_alias=alias)
    slot = slot_of(job, NAME)
    late = Steps(miss(job) if how == "get" else bulk.get_many([slot]))
    late.run_next()  # the miss
    with elsewhere():
        assert job.get(NAME) == "old"
    found = late.finish()
    assert (found.value if how == "get" else found[0].value) == "old"
    assert job.at.calls == [NAME]
    assert caches[alias].get(claim_key(slot.key)) is None
    assert caches[alias].get(lease_key(slot.key)) is None


def test_a_shared_lease_stays(alias: str) -> None:
    """Who gives a claim back leaves the lease to a fetch that it shares it with (J5)."""
    job = Source().using(cache_alias=alias)
    slow, successor, _ = overtaken(job, alias)
    successor.throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        successor.finish()
    assert caches[alias].get(claim_key(job.key(NAME))) is None
    slow.finish()
    assert job.explain(NAME).status == Job.HIT


def test_of_two_late_fetches_the_newer_is_kept(alias: str) -> None:
    """When the claims of two fetches have lapsed, the one that began first does not overwrite
    the other (J5)."""
    job = Source().using(cache_alias=alias)
    claim = claim_key(job.key(NAME))
    older = Steps(miss(job))
    older.run_until(Fetch)
    older.run_next()
    caches[alias].delete(claim)
    job.at.value = "new"
    with elsewhere():
        newer = Steps(miss(job))
        newer.run_until(Fetch)
        newer.run_next()
        caches[alias].delete(claim)
        newer.finish()
    assert job.raw_get(NAME)[1] == "new"  # type: ignore[index]
    older.finish()
    assert job.raw_get(NAME)[1] == "new"  # type: ignore[index]


@pytest.mark.parametrize("change", ["set", "delete", "invalidate"])
def test_no_wait_for_what_was_overtaken(change: str, alias: str, capture: CaptureQueue) -> None:
    """After a change, a caller of this process does not wait for the fetch that it overtook
    (J5, J3)."""
    job = Source().using(cache_alias=alias)
    steps = Steps(miss(job))
    steps.run_until(Fetch)
    steps.run_next()
    job.at.value = "new"
    CHANGES[change](job)
    assert job.get(NAME) == ("set" if change == "set" else "new")
    assert not steps.is_done
    assert steps.finish().value == "old"
    assert job.get(NAME) == ("set" if change == "set" else "new")
