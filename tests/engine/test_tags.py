"""Invalidating by tag."""

import asyncio
from typing import Any

import pytest
from django.core.cache import caches

from cacheback_app import Job, adelete_tags, ainvalidate_tags, delete_tags, invalidate_tags
from cacheback_app.engine import tags
from cacheback_app.engine.claims import lease_key
from cacheback_app.testing import Clock
from tests.addresses import cache
from tests.jobs.support import CaptureQueue, Source, TaggedSource, elsewhere
from tests.services import RedisServer


def test_invalidate(alias: str, capture: CaptureQueue) -> None:
    """What carries a tag is stale after its invalidation, and nothing else is (J5)."""
    job, untagged = TaggedSource().using(cache_alias=alias), Source().using(cache_alias=alias)
    for name in "xy":
        job.get(name)
        untagged.get(name)
    invalidate_tags("name:x")
    assert [job.explain(name).status for name in "xy"] == [Job.STALE, Job.HIT]
    assert [untagged.explain(name).status for name in "xy"] == [Job.HIT, Job.HIT]
    assert capture.sent == [], "each is refreshed when it is asked for"
    assert job.get("x") == "old" and len(capture.sent) == 1
    job.at.value = "new"
    assert capture.run_all() == [True]
    assert job.get("x") == "new" and job.explain("x").status == Job.HIT
    invalidate_tags("all", "nobody's")
    assert [job.explain(name).status for name in "xy"] == [Job.STALE, Job.STALE]


def test_delete(alias: str) -> None:
    """After ``delete_tags`` the values are gone at once (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get("x")
    job.get("y")
    delete_tags("name:x")
    assert job.raw_get("x") is None and job.raw_get("y") is not None
    job.at.value = "new"
    assert [job.get("x"), job.get("y")] == ["new", "old"]
    invalidate_tags("name:x")
    assert job.get("x") == "new"


def test_async_twins(alias: str) -> None:
    """The async functions do the same (J18)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get("x")
    asyncio.run(ainvalidate_tags("all"))
    assert job.explain("x").status == Job.STALE
    asyncio.run(adelete_tags("all"))
    assert job.explain("x").status == Job.MISS


def test_in_every_process_and_cache(redis_url: str, settings: Any) -> None:
    """A tag is invalidated in all of ``CACHES``, and for other processes too (J5)."""
    settings.CACHES = {n: settings.CACHES[n] for n in ("default", "other", "own", "redis")}
    jobs = [TaggedSource().using(cache_alias=alias) for alias in settings.CACHES]
    for job in jobs:
        job.get("x")
    with elsewhere():
        invalidate_tags("all")
    assert [job.explain("x").status for job in jobs] == [Job.STALE] * 4


def test_a_cache_that_is_down_does_not_save_the_others(settings: Any) -> None:
    """When one cache is down, the tags of the others are invalidated all the same (J11)."""
    settings.CACHES = {n: settings.CACHES[n] for n in ("down", "default")}
    job = TaggedSource()
    job.get("x")
    invalidate_tags("all")
    assert job.explain("x").status == Job.STALE


@pytest.mark.parametrize("what", [invalidate_tags, delete_tags])
def test_the_cost_does_not_grow(what: Any, shared_redis_server: RedisServer, settings: Any) -> None:
    """Invalidating costs the same for a thousand tagged values as for one (contract, tags)."""
    settings.CACHES = {"default": cache("own", shared_redis_server.url())}
    job = TaggedSource()
    costs = []
    for names in (range(1), range(1000)):
        job.get_many(names)
        with shared_redis_server.count_commands() as counted:
            what("all")
        costs.append(sum(counted.values()))
    assert costs[0] == costs[1] < 10


def test_many_tags_at_once(alias: str) -> None:
    """Several tags are invalidated in one call, repeats and unknown ones included (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get_many(range(10))
    invalidate_tags(*(f"name:{n}" for n in range(5)), "name:1", "unknown")
    assert [job.explain(n).status for n in range(10)] == [Job.STALE] * 5 + [Job.HIT] * 5
    invalidate_tags()


def test_a_stamp_that_is_lost(alias: str, capture: CaptureQueue) -> None:
    """A tag whose stamp was evicted makes its values stale, not fresh for ever (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get("x")
    caches[alias].delete(tags.tag_key("all"))
    assert job.explain("x").status == Job.STALE
    assert job.get("x") == "old"
    assert capture.run_all() == [True]
    assert job.explain("x").status == Job.HIT


def test_a_tag_outlives_its_values(clock: Clock) -> None:
    """The stamp of a tag lives at least as long as what carries it (J5)."""
    job = TaggedSource().using(cache_ttl=400 * 24 * 3600, lifetime=400 * 24 * 3600)
    job.get("x")
    clock.advance(399 * 24 * 3600)
    assert job.explain("x").status == Job.HIT
    delete_tags("all")
    assert job.raw_get("x") is None


def test_a_tag_that_was_not_there_when_the_value_was_cached(
    capture: CaptureQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value cached before its job had a tag is stale, and one cached with a tag that the job
    has no more obeys it (J5)."""
    job = TaggedSource()
    job.get("x")
    monkeypatch.setattr(TaggedSource, "tags", lambda self, name="x": ["new tag", "all"])
    assert job.explain("x").status == Job.STALE
    monkeypatch.setattr(TaggedSource, "tags", lambda self, name="x": ["all"])
    assert job.explain("x").status == Job.HIT
    invalidate_tags("name:x")
    assert job.explain("x").status == Job.STALE


def test_set_carries_tags(alias: str) -> None:
    """A value that was set by hand carries the tags of its call (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.set("x", data="set")
    assert job.explain("x").status == Job.HIT
    delete_tags("name:x")
    assert job.raw_get("x") is None


def test_get_many_carries_tags(alias: str) -> None:
    """So do the values of ``get_many`` (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get_many(["x", "y"])
    invalidate_tags("name:y")
    assert [job.explain(name).status for name in "xy"] == [Job.HIT, Job.STALE]


def test_between_two_invalidations_in_two_processes(alias: str) -> None:
    """An invalidation and a deletion of one tag at once leave the value gone (J5)."""
    job = TaggedSource().using(cache_alias=alias)
    from tests.jobs.support import in_threads

    for _ in range(5):
        job.refresh("x")
        in_threads(6, lambda i: (delete_tags if i == 3 else invalidate_tags)("all"))
        assert job.raw_get("x") is None


@pytest.mark.parametrize(
    "tag", ["user:42", "a b", "ü", "x" * 1000, "", "\n", "a.b.c", "𝄞", "\udc80"]
)
def test_any_text_is_a_tag(tag: str, alias: str) -> None:
    """A tag may be any text, and becomes a short printable key of its own."""

    class Any_(Source):
        def tags(self, name: str) -> list[str]:
            return [tag, "other"]

    job = Any_().using(cache_alias=alias)
    job.get("x")
    assert job.explain("x").tags == (tag, "other")
    invalidate_tags(tag)
    assert job.explain("x").status == Job.STALE
    key = tags.tag_key(tag)
    assert len(key) <= 200 and key.isascii() and key.isprintable() and " " not in key


def test_tag_keys_differ() -> None:
    """No two tags share a key."""
    names = ["a", "A", " a", "a ", "ä", "x" * 200, "x" * 201, "#a", ":a", "", "a:claim"]
    assert len({tags.tag_key(name) for name in names}) == len(names)


@pytest.mark.parametrize("names", [(1,), (None,), (b"a",), ("a", ["b"])])
def test_what_is_no_tag(names: Any) -> None:
    """Anything but text is a ``TypeError`` and invalidates nothing."""
    job = TaggedSource()
    job.get("x")
    with pytest.raises(TypeError):
        invalidate_tags("all", *names)
    assert job.explain("x").status == Job.HIT


def test_tags_of_a_job_that_are_one_text() -> None:
    """A job whose ``tags`` gives one text instead of a list is told so."""

    class Wrong(Source):
        def tags(self, name: str) -> str:  # type: ignore[override]
            return "all"

    with pytest.raises(TypeError, match="all"):
        Wrong().get("x")


def test_a_generator_of_tags() -> None:
    """``tags`` may be a generator."""

    class Lazy(Source):
        def tags(self, name: str) -> Any:
            yield "one"
            yield "two"

    job = Lazy()
    assert job.get("x") == job.get("x") == "old"
    invalidate_tags("two")
    assert job.explain("x").status == Job.STALE


def test_no_lease_is_left_behind(alias: str) -> None:
    """When everything is done only values and tags are in the cache (J8)."""
    job = TaggedSource().using(cache_alias=alias)
    job.get("x")
    assert caches[alias].get(lease_key(job.key("x"))) is None
