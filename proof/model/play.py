"""What is the same in all states of one scenario."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from cacheback_app.durations import seconds
from cacheback_app.engine.claims import claim_key
from cacheback_app.engine.entry import Entry
from cacheback_app.engine.explaining import raw_get
from cacheback_app.engine.flow import drive
from cacheback_app.engine.policy import Verdict

from .actors import READERS, Role
from .invariants import Invariant
from .jobs import Page
from .players import Names, acting_for, tree
from .scenarios import Scenario
from .trees import Tree
from .world import Choice, Standing, World


class Trees:
    """What is known so far of what actors do."""

    def __init__(self) -> None:
        self._trees: dict[object, Tree] = {}

    def of(
        self, role: Role, index: int, job: type[Page], names: Names, *, shares: bool = False
    ) -> Tree:
        """Return the tree of such an actor."""
        key = role, index, job, names, shares
        known = self._trees.get(key)
        if known is None:
            known = self._trees[key] = tree(role, index, job(), names, shares=shares)
        return known

    @property
    def size(self) -> int:
        """Return how many requests are known."""
        return sum(each.size for each in self._trees.values())

    def close(self) -> None:
        """Forget all."""
        for each in self._trees.values():
            each.close()
        self._trees.clear()


class Play:
    """A scenario with its actors."""

    def __init__(self, scenario: Scenario, invariants: Sequence[Invariant], trees: Trees) -> None:
        self.scenario = scenario
        self.roles = scenario.roles
        self.names = scenario.names
        self.all_names = frozenset(self.names)
        self.job = scenario.job()
        self.cache_ttl, self.local_ttl = seconds(self.job.cache_ttl), seconds(self.job.local_ttl)
        self.slots = {name: self.job._slot_for((name,), {}) for name in self.names}
        self.entries = {slot.key: name for name, slot in self.slots.items()}
        self.claims = {claim_key(key): name for key, name in self.entries.items()}
        self._visible: dict[tuple[float, int], Mapping[str, Entry | None]] = {}
        self._marks: dict[Hashable, int] = {}
        self._trees = trees
        numbers = range(len(self.roles))
        self.go, self.kill, self.cancel = (
            [Choice(kind, who) for who in numbers] for kind in ("go", "kill", "cancel")
        )
        self.lapse = Choice("lapse")
        self._judges(invariants)

    def _judges(self, invariants: Sequence[Invariant]) -> None:
        def those(method: str) -> list[Invariant]:
            own = getattr(Invariant, method)
            return [each for each in invariants if getattr(type(each), method) is not own]

        self.after_step, self.at_end = those("after_step"), those("at_end")
        self.wrote, self.dispatched = those("wrote"), those("dispatched")
        self.fetch_begins, self.answered = those("fetch_begins"), those("answered")
        self.stuck = those("stuck")

    def begin(self) -> World:
        """Return the world as it is in the beginning."""
        world = World(self)
        with acting_for(world):
            self.scenario.prepare(world)
        world.standings = [
            Standing(self._tree(role, who).root) for who, role in enumerate(self.roles)
        ]
        return world

    def _tree(self, role: Role, who: int) -> Tree:
        hosts = self.scenario.hosts
        shares = hosts.count(hosts[who]) > 1
        return self._trees.of(role, who, self.scenario.job, self.names, shares=shares)

    def mark(self, part: Hashable) -> int:
        """Return a number, never 0, by which equal parts of worlds are known."""
        return self._marks.setdefault(part, len(self._marks) + 1)

    def name(self, who: int) -> str:
        """Return what an actor is called."""
        return f"{self.roles[who].name}#{who}"

    # To look at

    def visible(self, world: World, contents: int) -> Mapping[str, Entry | None]:
        """Return what ``raw_get`` would find now, by name.

        :param contents: by what the play knows what is cached.
        """
        found = self._visible.get((world.now, contents))
        if found is None:
            with acting_for(world):
                found = {name: drive(raw_get(slot)) for name, slot in self.slots.items()}
            self._visible[world.now, contents] = found
        return found

    def is_gone(self, world: World, name: str, time: float) -> bool:
        """Return whether what is cached for ``name`` is not served any more at another time."""
        later = world.copy()
        later.now = time
        with acting_for(later):
            return self.slots[name].judge(world.entries()[name]) is Verdict.GONE

    def later(self, world: World, seconds: float, name: str) -> World | None:
        """Return the world after a reader of ``name`` has come ``seconds`` later, and what that
        has sent was done; None when the reader got no answer."""
        later = world.copy()
        later.pass_time(seconds)
        later.delivered = len(later.messages)
        reader = self._trees.of(READERS[name], len(self.roles), self.scenario.job, self.names)
        return later if later.run(reader.root) else None
