"""``sync_refresh`` and ``disabled``: section 7 of the contract."""

import asyncio
import threading
import unittest
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from cacheback_app.conf import conf
from cacheback_app.queues import get_queue
from cacheback_app.testing import capture_refreshes, disabled, sync_refresh
from tests.jobs.support import in_threads, make_stale
from tests.testing.jobs import AsyncPrice, Broken, Price


def test_refreshes_run_in_place(queue: str) -> None:
    """Whatever queue is configured, the stale value is served and the new one is there when
    ``get`` returns."""
    with sync_refresh():
        Price().get()
        make_stale(Price())
        assert Price().get() == "x #1"
        assert Price().get() == "x #2"


def test_the_configured_queue_is_back(queue: str) -> None:
    """After the block the configured queue is the one it was, with its threads if it has any."""
    before = get_queue()
    with sync_refresh():
        assert get_queue() is not before
        assert get_queue().in_place
    assert get_queue() is before


def test_in_the_callers_thread(queue: str) -> None:
    """The fetch runs in the thread that asked, whose transaction it sees."""
    seen: list[Any] = []

    class Where(Price):
        def fetch(self, name: str = "x") -> str:
            seen.append(threading.current_thread())
            return super().fetch(name)

    with sync_refresh():
        Where().get()
        make_stale(Where())
        Where().get()
    assert seen == [threading.current_thread()] * 2


@pytest.mark.django_db(transaction=True)
def test_after_the_commit(queue: str, fetched: list[Any]) -> None:
    """An invalidation refreshes after the commit and not before; after a rollback, never (J12)."""
    with sync_refresh():
        Price().get()
        with pytest.raises(LookupError), transaction.atomic():
            Price().invalidate()
            raise LookupError
        assert len(fetched) == 1
        with transaction.atomic():
            Price().invalidate()
            assert len(fetched) == 1
        assert len(fetched) == 2


def test_async(queue: str) -> None:
    """An async caller's refresh is done when ``aget`` returns, too (J18)."""

    async def read() -> list[str]:
        job = AsyncPrice()
        await job.aget()
        await asyncio.to_thread(make_stale, job)
        return [await job.aget(), await job.aget()]

    with sync_refresh():
        assert asyncio.run(read()) == ["x #1", "x #2"]


def test_a_failing_fetch(queue: str) -> None:
    """A refresh that fails is no error of the caller, who gets the stale value (J2, J7)."""
    with sync_refresh():
        Broken().get()
        make_stale(Broken())
        assert Broken().get() == "x #1"
        assert "upstream is down" in (Broken().explain().last_error or "")


def test_nested_and_out_of_order() -> None:
    """Blocks that end in another order than they began each take away their own layer."""
    first, second = capture_refreshes(), sync_refresh()
    with sync_refresh():
        configured = type(get_queue())
        kept = first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert get_queue().in_place
        second.__exit__(None, None, None)
        assert type(get_queue()) is configured
        assert len(kept) == 0


def test_in_many_threads(settings: Any) -> None:
    """Blocks that begin and end in several threads leave nothing behind."""
    settings.CACHEBACK_TASK_QUEUE = "threads"
    before = get_queue()

    def enter(index: int) -> None:
        for _ in range(50):
            with sync_refresh():
                assert get_queue().in_place

    assert in_threads(8, enter) == [None] * 8
    assert get_queue() is before


def test_disabled_calls_through(alias: str, fetched: list[Any]) -> None:
    """Within the block every read fetches, sync and async, and nothing is stored."""
    with disabled():
        assert [Price().get(), Price().get()] == ["x #1", "x #2"]
        assert asyncio.run(AsyncPrice().aget()) == "x #3"
        assert Price().get_many(["a", "b"]) == ["a #4", "b #5"]
    assert Price().raw_get() is None
    assert conf.enabled


def test_disabled_forgets_nothing(alias: str) -> None:
    """What was cached before the block is served after it."""
    Price().get()
    with disabled():
        assert Price().get() == "x #2"
    assert Price().get() == "x #1"


@pytest.mark.parametrize(
    "call",
    [
        lambda job: job.set("x", data="by hand"),
        lambda job: asyncio.run(job.aset("x", data="by hand")),
        lambda job: job.refresh("x"),
        lambda job: job.async_refresh("x"),
    ],
    ids=["set", "aset", "refresh", "async_refresh"],
)
def test_disabled_stores_nothing(alias: str, call: Callable[[Price], None]) -> None:
    """Within the block nothing else stores either, or keeps a claim: neither ``set`` nor what
    refreshes, in the caller or in a worker (section 1, ``CACHEBACK_ENABLED``)."""
    with disabled(), sync_refresh():
        call(Price())
    assert Price().raw_get("x") is None
    assert Price().explain("x").claimed_until is None


def test_disabled_renews_nothing(alias: str) -> None:
    """An invalidation within the block marks what is cached, and no more."""
    Price().get("x")
    with disabled(), sync_refresh():
        Price().invalidate("x")
        assert Price().explain("x").status == Price.STALE
    with sync_refresh():
        assert [Price().get("x"), Price().get("x")] == ["x #1", "x #3"]


class TestWithUnittest(unittest.TestCase):
    """Both are used without pytest: by ``enterContext``, ``with``, and as decorators."""

    def setUp(self) -> None:
        self.enterContext(sync_refresh())

    def test_entered(self) -> None:
        """``enterContext`` holds for the whole test."""
        assert get_queue().in_place

    @disabled()
    def test_decorated(self) -> None:
        """``disabled`` decorates a method."""
        assert not conf.enabled
