"""P6: a ``ProjectJob`` is a job whose value also lives as a project's cache item."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections

from cacheback_app.engine import changing, reading
from cacheback_app.engine.flow import Flow
from cacheback_app.engine.near import near
from cacheback_app.engine.slot import Slot
from cacheback_app.testing import Clock
from sodarcache.jobs import ProjectJob
from tests.jobs.support import CaptureQueue, Steps, Upstream, captured, path_of, slot_of
from tests.sodarcache.support import APP


class Totals(ProjectJob):
    """The totals of a project, which tests change."""

    name = "totals"
    app_name = APP

    def __init__(self) -> None:
        self.at = Upstream()

    def fetch(self, project: Any) -> Any:
        return self.at.answer(project)


class Ranking(ProjectJob):
    """An item per kind, of no project."""

    app_name = APP

    def fetch(self, kind: str, depth: int = 1) -> Any:
        return {"kind": kind, "depth": depth}


@pytest.fixture
def queue(settings: Any) -> CaptureQueue:
    settings.CACHEBACK_TASK_QUEUE = path_of(CaptureQueue)
    captured().sent.clear()
    return captured()


@pytest.fixture
def job(database: str, queue: CaptureQueue) -> Totals:
    return Totals()


def flush() -> None:
    """Lose what the cache has, and what this process remembers."""
    cache.clear()
    near.clear()


def kept(api: Any, project: Any) -> Any:
    item = api.get_cache_item(APP, "totals", project)
    return None if item is None else item.data


def test_a_fetched_value_is_an_item_of_the_jobs_age(api: Any, project: Any, job: Totals) -> None:
    """P6: what a job fetches is the item's data, and the item's update time is the job's age."""
    job.at.value = {"files": 3}
    assert job.get(project) == {"files": 3}
    assert kept(api, project) == {"files": 3}
    update_time = api.get_update_time(APP, "totals", project)
    assert job.explain(project).fetched_at == pytest.approx(update_time, abs=1e-5)


def test_a_flushed_cache_is_filled_from_the_item(
    api: Any, project: Any, job: Totals, clock: Clock
) -> None:
    """P6: a value survives the cache. It is as old as its item, so a fresh one is not fetched."""
    job.get(project)
    before = job.explain(project)
    clock.advance(300)
    job.at.value = "new"
    flush()
    assert job.explain(project).status == job.HIT
    assert cache.get(job.key(project)) is None  # which looking did not change
    assert job.get(project) == "old" and len(job.at.calls) == 1
    after = job.explain(project)
    assert after.status == job.HIT
    assert after.fetched_at == pytest.approx(before.fetched_at, abs=1e-5)
    assert after.expiry == pytest.approx(before.expiry, abs=1)
    assert cache.get(job.key(project)) is not None


def test_a_stale_item_is_served_and_refreshed_in_the_background(
    api: Any, project: Any, job: Totals, clock: Clock, queue: CaptureQueue
) -> None:
    """P6, J2: an item older than ``lifetime`` is served at once while one refresh renews it."""
    job.get(project)
    clock.advance(700)
    job.at.value = "new"
    flush()
    assert job.get(project) == "old"
    assert job.get(project) == "old"
    assert queue.run_all() == [True]
    assert job.get(project) == "new" and kept(api, project) == "new"


def test_an_item_beyond_cache_ttl_is_gone(
    api: Any, project: Any, job: Totals, clock: Clock
) -> None:
    """P6, J6: ``cache_ttl`` counts from the fetch for the item, too."""
    job.get(project)
    clock.advance(31 * 24 * 60 * 60)
    job.at.value = "new"
    assert job.get(project) == "new"


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1, None, "é"]}])
def test_every_json_value_survives(api: Any, project: Any, job: Totals, value: Any) -> None:
    """P6, J16: None is a value like any other, and so is whatever else JSON holds."""
    job.at.value = value
    job.get(project)
    flush()
    assert job.get(project) == value and len(job.at.calls) == 1


def test_set_delete_and_invalidate_keep_both_in_step(
    api: Any, project: Any, other: Any, job: Totals, queue: CaptureQueue
) -> None:
    """P6: what changes the job's value changes the item, and no other project's."""
    job.set(other, data="theirs")
    job.set(project, data="mine")
    assert kept(api, project) == "mine"
    flush()
    assert job.get(project) == "mine"
    job.invalidate(project)
    assert len(queue.sent) == 1
    flush()
    assert job.explain(project).status == job.STALE
    assert job.get(project) == "mine"
    job.delete(project)
    assert kept(api, project) is None
    assert job.get(project) == "old"
    assert kept(api, other) == "theirs"


def test_invalidate_of_what_only_the_item_has_refreshes_it(
    api: Any, project: Any, job: Totals, queue: CaptureQueue
) -> None:
    """P6: what survived in the item counts as cached."""
    job.get(project)
    flush()
    job.invalidate(project)
    job.at.value = "new"
    assert queue.run_all() == [True]
    assert kept(api, project) == "new"


def test_invalidate_of_nothing_leaves_nothing(
    api: Any, project: Any, job: Totals, items: Any, queue: CaptureQueue
) -> None:
    """P6: invalidating what is not cached makes no item and no refresh."""
    job.invalidate(project)
    job.delete(project)
    assert not items.exists() and queue.sent == []


def test_arguments_and_version_tell_items_apart(api: Any, job: Totals, items: Any) -> None:
    """P6, J13: calls that have different keys have different items."""
    calls: list[tuple[Any, ...]] = [("a",), ("b",), ("a", 2)]
    for call in calls:
        Ranking().get(*call)
    Ranking().using(version=2).get("a")
    assert items.count() == 4
    assert {item.project_id for item in items.all()} == {None}
    flush()
    assert [Ranking().get(*call)["kind"] for call in calls] == ["a", "b", "a"]


def test_a_value_that_is_no_json_is_returned_and_not_kept(
    api: Any, project: Any, job: Totals, items: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """P5, P6: the caller gets what was fetched; ``set`` says what is wrong, and where. The log
    does not, as where is told by keys of the value (section 7)."""
    job.at.value = {"rows": [1, {2}]}
    assert job.get(project) == {"rows": [1, {2}]}
    assert "rows" not in caplog.text and "cannot be cached" in caplog.text
    assert not items.exists() and cache.get(job.key(project)) is None
    with pytest.raises(ValueError, match=r"data\.rows\[1\] is a set"):
        job.set(project, data={"rows": [1, {2}]})


def test_get_many_fills_a_flushed_cache(api: Any, project: Any, other: Any, job: Totals) -> None:
    """P6: many are read from their items as one is."""
    job.get_many([project, other])
    flush()
    job.at.value = "new"
    assert job.get_many([project, other]) == ["old", "old"]


def test_async_callers_have_the_item_too(api: Any, project: Any, job: Totals) -> None:
    """P6, J18: the async twins read and write the item."""

    async def go() -> list[Any]:
        found = [await job.aget(project)]
        await cache.aclear()
        job.at.value = "new"
        found.append(await job.aget(project))
        await job.aset(project, data="set")
        found.append(await job.aget(project))
        await job.adelete(project)
        return found

    assert asyncio.run(go()) == ["old", "old", "set"]
    assert kept(api, project) is None


def test_cache_down_serves_the_item(api: Any, project: Any, job: Totals, settings: Any) -> None:
    """P6, J11: while the cache cannot be reached, the item is what there is."""
    job.get(project)
    job.at.value = "new"
    settings.CACHES = {**settings.CACHES, "default": settings.CACHES["down"]}
    assert job.get(project) == "old"
    job.set(project, data="set")
    assert job.get(project) == "set"


def test_a_job_with_tags_is_refused() -> None:
    """P6: an item knows nothing of tags, so that a deleted tag would come back from it."""
    with pytest.raises(TypeError, match="tags"):

        class Tagged(ProjectJob):
            def tags(self, *args: Any, **kwargs: Any) -> Any:
                return ["a"]


CHANGES: dict[str, Callable[[Totals, Any], object]] = {
    "set": lambda job, project: job.set(project, data="set"),
    "invalidate": lambda job, project: job.invalidate(project),
    "delete": lambda job, project: job.delete(project),
}


def fetches(job: Totals, project: Any) -> Flow[Any]:
    return reading.get(slot_of(job, project))


def refreshes(job: Totals, project: Any) -> Flow[Any]:
    job.get(project)
    return changing.refresh(slot_of(job, project))


def restores(job: Totals, project: Any) -> Flow[Any]:
    job.get(project)
    flush()
    return reading.get(slot_of(job, project))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("flow", [fetches, refreshes, restores])
def test_no_interleaving_leaves_an_old_item(
    flow: Any, change: str, api: Any, project: Any, queue: CaptureQueue, items: Any
) -> None:
    """J5, P6: whenever a change comes between two steps of a fetch, or of a restored item, neither
    the cache nor the item has the old value as fresh."""
    at = 0
    while True:
        flush()
        items.all().delete()
        queue.sent.clear()
        job = Totals()
        steps = Steps(flow(job, project))
        for _ in range(at):
            if steps.is_done:
                break
            steps.run_next()
        was_done = steps.is_done
        job.at.value = "new"
        CHANGES[change](job, project)
        steps.finish()
        for _ in range(2):  # as the cache has it, and as the item has it
            found = job.raw_get(project)
            if found is None:
                assert change != "set"
            elif change == "invalidate":
                assert found[1] == "new" or job.explain(project).status == job.STALE
            else:  # "new" is what was fetched after the change
                assert found[1] in ("set", "new")
            flush()
        if was_done:
            break
        at += 1
    assert at > 2


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_waits_for_a_fetch_that_is_being_written(
    when: str,
    change: str,
    api: Any,
    project: Any,
    queue: CaptureQueue,
    items: Any,
    monkeypatch: Any,
) -> None:
    """J5, P6: a change that comes when a fetch has written its new row, before or after it asks
    the cache's lease, is what remains, although the database does not show it that row."""
    job = Totals()
    changing_now = threading.Event()
    workers: list[threading.Thread] = []
    commit = Slot.commit

    def change_it() -> None:
        changing_now.set()
        CHANGES[change](job, project)
        connections.close_all()

    def change_in_between() -> None:
        workers.append(threading.Thread(target=change_it))
        workers[0].start()
        assert changing_now.wait(10)
        workers[0].join(0.3)  # long enough for it to have overtaken the lease, or to wait

    def commit_in_between(self: Any, *args: Any) -> Any:
        if when == "before":
            change_in_between()
        result = yield from commit(self, *args)
        if when == "after":
            change_in_between()
        return result

    monkeypatch.setattr(Slot, "commit", commit_in_between)
    assert job.get(project) == "old"
    workers[0].join(30)
    assert not workers[0].is_alive()
    for _ in range(2):
        found = job.raw_get(project)
        if change == "set":
            assert found is not None and found[1] == "set"
        else:
            assert found is None or job.explain(project).status == job.STALE
        flush()
