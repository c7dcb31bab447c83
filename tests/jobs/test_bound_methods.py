"""Cached methods, reached through an instance."""

import asyncio
import copy
import pickle
from dataclasses import dataclass
from typing import Any

from cacheback_app import Job, cacheback

calls: list[Any] = []


@dataclass(frozen=True)
class Shop:
    name: str

    @cacheback(lifetime=60)
    def stock(self, title: str) -> str:
        calls.append((self.name, title))
        return f"{self.name}: {title}"


def test_a_method_is_cached_for_its_instance() -> None:
    """A method's values are those of its instance; equal instances share them (J13)."""
    calls.clear()
    assert Shop("north").stock("Emma") == "north: Emma"
    assert Shop("south").stock("Emma") == "south: Emma"
    assert Shop("north").stock("Emma") == "north: Emma"
    assert calls == [("north", "Emma"), ("south", "Emma")]


def test_a_bound_method_takes_its_own_arguments() -> None:
    """``instance.method.set`` and the like are told what the method is told (section 1)."""
    calls.clear()
    stock = Shop("north").stock
    stock.set("Emma", data="by hand")
    assert stock("Emma") == "by hand"
    assert stock.key("Emma") == Shop.stock.key(Shop("north"), "Emma")
    assert stock.explain("Emma").status == Job.HIT
    assert stock.raw_get("Emma")[1] == "by hand"
    assert stock.get_many(["Emma", "Persuasion"]) == ["by hand", "north: Persuasion"]
    stock.delete("Emma")
    assert stock.refresh("Emma") == "north: Emma"
    assert stock.fn(Shop("west"), "Emma") == "west: Emma"


def test_async_twins_of_a_bound_method() -> None:
    """They take its own arguments as well (J18)."""

    async def main() -> None:
        stock = Shop("north").stock
        await stock.aset("Emma", data="by hand")
        assert (await stock.araw_get("Emma"))[1] == "by hand"
        assert await stock.aget_many(["Emma", "Persuasion"]) == ["by hand", "north: Persuasion"]
        await stock.ainvalidate("Emma")
        await stock.adelete("Emma")
        assert (await stock.aexplain("Emma")).status == Job.MISS
        assert await stock.arefresh("Emma") == "north: Emma"

    asyncio.run(main())


def test_copies_and_pickles() -> None:
    """A decorated function is copied and pickled as functions are, by name, so that other
    processes can be given one to call; a bound one goes with its instance (section 1)."""
    for take in (copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
        assert take(Shop.stock) is Shop.stock
        assert take(Shop("north").stock).key("Emma") == Shop("north").stock.key("Emma")
