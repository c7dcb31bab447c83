"""The world of a play, which its actors ask: what is cached, what time it is, and the record of
what they did, by which they are judged. It is plain data, so that each branch has its own copy.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .trees import BEGIN, CANCEL, End, Node, Waiting, ended

if TYPE_CHECKING:
    from cacheback_app.engine.entry import Entry

    from .play import Play

START = 1_000_000.0
LAPSE = 61.0
"""Seconds that pass at once when the scheduler lets every claim lapse: a ``refresh_timeout``, and
one more."""
TICK = 0.001
"""A clock with a fine resolution: what begins after an entry was written is later than it."""


class Value(NamedTuple):
    """What is cached: where it came from, and the upstream's number then."""

    name: str
    origin: str
    number: int
    began: float
    """When that was."""

    def __str__(self) -> str:
        return f"{self.number} of {self.name} ({self.origin})"


class Facts(NamedTuple):
    """What is so of one key, as far as a guarantee speaks of it. None is known to the engine."""

    upstream: int = 0
    fresh_floor: int = 0
    """Changes up to this one have ended: what was fetched before must not count as fresh."""
    floor: int = 0
    """As above, of sets and deletions: what was fetched before must not be there at all."""
    disturbing: int = 0
    """Changes, and refreshes by name, that are under way: they end other people's claims."""
    fetches_left: int = 0
    """There may be one fetch if the value was not fresh, and one more for each change, for each
    time that claims lapsed, for each fetch that failed, and for each that was asked for by name."""
    dispatches_left: int = 0
    """As above, of refreshes that are dispatched."""
    sets: tuple[tuple[int, int | None], ...] = ()
    """By the number that was set: the upstream's number when that ended, None before."""
    ended: tuple[tuple[float, int, int], ...] = ()
    """When, in which process, and with which number a change ended, where there is memory to
    forget it in."""

    def is_outdated(self, value: Value, floor: int) -> bool:
        """Return whether ``value`` is from before the change that made ``floor``."""
        if value.origin != "set":
            return value.number < floor
        ended = next((e for number, e in self.sets if number == value.number), value.number)
        return ended is not None and ended < floor

    def near_floor(self, host: int, since: float) -> int:
        """As ``fresh_floor``, of changes in that process or before ``since``."""
        return max((n for at, where, n in self.ended if where == host or at <= since), default=0)

    def another(self) -> Facts:
        """Return them with one more occasion to fetch."""
        return self._replace(
            fetches_left=self.fetches_left + 1, dispatches_left=self.dispatches_left + 1
        )


class Waits(NamedTuple):
    """What an actor waits for."""

    until: float
    flight: Hashable
    is_stirred: bool = False
    """Whether anything was written since."""


class Standing(NamedTuple):
    """How far an actor is, and what was so when it began."""

    node: Node
    waits: Waits | None = None
    began: float = START
    floors: tuple[tuple[int, int, int], ...] = ()
    """Of each key, when it began: ``fresh_floor``, ``floor``, and ``near_floor()``."""
    lapses: int = 0
    """How often claims have lapsed since then; more than two are two."""
    disturbed: frozenset[str] = frozenset()
    """The keys of which its claim may have ended since then, by others or by itself."""
    has_slept: bool = False
    fetching: frozenset[str] = frozenset()
    fetched: frozenset[str] = frozenset()
    message: str | None = None
    """The token of the message that it was given."""

    @property
    def is_over(self) -> bool:
        """Whether it has nothing more to do, or was killed."""
        return self.node.pause is None


class Choice(NamedTuple):
    """What the scheduler may let happen next."""

    kind: str
    """"go", "kill", "cancel" or "lapse"."""
    who: int = 0


_FACTS, _CONTENTS, _MEMORY, _WHO = range(4)


class World:
    """The state of one play, to be moved on choice by choice."""

    __slots__ = (
        "contents",
        "delivered",
        "drawn",
        "facts",
        "has_changed",
        "is_cancelled",
        "is_killed",
        "lapses",
        "marks",
        "memory",
        "messages",
        "now",
        "play",
        "problems",
        "standings",
    )

    def __init__(self, play: Play) -> None:
        self.play = play
        self.now = START
        self.contents: dict[str, tuple[bytes, float | None]] = {}
        """What is in the cache, with the deadlines."""
        self.memory: dict[tuple[int, Any], Hashable] = {}
        """What is in the memory of processes that several actors share."""
        self.messages: tuple[tuple[str, str], ...] = ()
        """What was sent, and the token of its claim."""
        self.delivered = self.drawn = self.lapses = 0
        self.is_killed = self.is_cancelled = False
        self.has_changed = True
        """Whether anything has in this step that a state is judged by."""
        self.facts: dict[str, Facts] = dict.fromkeys(play.names, Facts())
        self.standings: list[Standing] = []
        self.marks = [0] * (_WHO + len(play.roles))
        """By what the play knows the facts, the contents, the memory, and each standing; 0 where
        they have changed since it was asked."""
        self.problems: tuple[str, ...] = ()

    def copy(self) -> World:
        """Return a world that is moved on by itself."""
        other = World.__new__(World)
        other.play, other.now, other.problems = self.play, self.now, self.problems
        other.contents, other.memory = self.contents.copy(), self.memory.copy()
        other.messages, other.delivered, other.drawn = self.messages, self.delivered, self.drawn
        other.lapses, other.marks, other.has_changed = self.lapses, self.marks.copy(), False
        other.is_killed, other.is_cancelled = self.is_killed, self.is_cancelled
        other.facts, other.standings = self.facts.copy(), self.standings.copy()
        return other

    def key(self) -> Hashable:
        """Return what tells this state from all from which other things could follow."""
        parts = tuple(mark or self._marked(number) for number, mark in enumerate(self.marks))
        flags = (self.lapses, self.delivered, self.is_killed, self.is_cancelled)
        return (self.now, self.messages, flags, parts)

    def _marked(self, number: int) -> int:
        part: Hashable
        if number >= _WHO:
            part = self.standings[number - _WHO]
        elif number == _FACTS:
            part = tuple(self.facts.values())
        else:
            part = frozenset((self.contents if number == _CONTENTS else self.memory).items())
        self.marks[number] = mark = self.play.mark(part)
        return mark

    # For the scheduler

    def choices(self) -> list[Choice]:
        """Return what may happen next; nothing when the play has ended."""
        play = self.play
        going: list[Choice] = []
        others: list[Choice] = []
        is_alive = is_waiting = False
        for who, standing in enumerate(self.standings):
            pause = standing.node.pause
            if pause is None:
                continue
            is_alive = True
            is_waiting |= standing.waits is not None
            if self._can_go(who, standing):
                going.append(play.go[who])
            if not self.is_killed and play.roles[who].is_mortal and pause is not BEGIN:
                others.append(play.kill[who])
            if not self.is_cancelled and pause.may_cancel:
                others.append(play.cancel[who])
        # What is in memory ages as well.
        matters = is_waiting or play.local_ttl or self._has_claim()
        may_lapse = self.lapses < play.scenario.lapses and matters
        is_stuck = is_waiting and not going
        if is_stuck:
            for invariant in play.stuck:
                self.note(invariant.name, invariant.stuck(self))
        if is_alive and (may_lapse or is_stuck):
            going.append(play.lapse)
        return going + others

    def take(self, choice: Choice) -> None:
        """Let it happen, and judge what has come of it."""
        who = choice.who
        match choice.kind:
            case "lapse":
                self._lapse()
            case "kill":
                self.is_killed = True
                self._stand(who, Standing(ended(End(is_killed=True))))
            case "cancel":
                self.is_cancelled = True
                self._occasion(*self.play.names)
                self._go(who, CANCEL)
            case _:
                self._go(who, None)
        if self.has_changed:
            for invariant in self.play.after_step:
                self.note(invariant.name, invariant.after_step(self))

    def label(self, choice: Choice) -> str:
        """Return what is about to happen, for people."""
        if choice.kind == "lapse":
            return "--- time passes, and claims lapse"
        name = self.play.name(choice.who)
        if choice.kind == "kill":
            return f"--- {name} is killed"
        pause = self.standings[choice.who].node.pause
        what = f"{name}: {pause.label if pause else None}"
        return what if choice.kind == "go" else f"{what}, and is cancelled"

    def finish(self) -> None:
        """Judge the end, when nobody has anything left to do."""
        for who, standing in enumerate(self.standings):
            request = standing.node.request
            if isinstance(request, End) and request.error:
                self.problems += (f"{self.play.name(who)} raised {request.error}",)
        for invariant in self.play.at_end:
            self.note(invariant.name, invariant.at_end(self))

    def entries(self) -> Mapping[str, Entry | None]:
        """Return what readers would find now, by name."""
        return self.play.visible(self, self.marks[_CONTENTS] or self._marked(_CONTENTS))

    def note(self, guarantee: str, problem: str | None) -> None:
        """Keep what is wrong, if anything is."""
        if problem:
            self.problems += (f"{guarantee}: {problem}",)

    def pass_time(self, seconds: float) -> None:
        """Let it be later, and what has expired be gone."""
        self.now += seconds
        self.marks[_CONTENTS], self.has_changed = 0, True
        for key in [key for key in self.contents if self.look(None, key) is None]:
            del self.contents[key]

    def run(self, node: Node) -> bool:
        """Let an actor of which the play knows nothing do all it does; return whether it ended."""
        for _ in range(100):
            node = self._walk(None, node, None)
            if node.pause is None:
                return node.request == End()
        return False  # it waits for somebody

    def _can_go(self, who: int, standing: Standing) -> bool:
        if standing.node.pause is BEGIN:
            return self.play.roles[who].may_begin(self)
        waits = standing.waits
        return (
            waits is None
            or waits.is_stirred
            or self.now >= waits.until
            or (waits.flight is not None and waits.flight in self.memory)
        )

    def _has_claim(self) -> bool:
        return any(self.look(None, key) is not None for key in self.play.claims)

    def _lapse(self) -> None:
        self.pass_time(LAPSE)
        self.lapses += 1
        self._occasion(*self.play.names)
        for who, standing in enumerate(self.standings):
            if not (standing.is_over or standing.node.pause is BEGIN):
                lapses = min(2, standing.lapses + 1)
                self._change(who, lapses=lapses, disturbed=self.play.all_names)

    def _occasion(self, *names: str) -> None:
        for name in names:
            self._note(name, self.facts[name].another())

    def _go(self, who: int, answer: Hashable) -> None:
        standing = self.standings[who]
        if standing.node.pause is BEGIN:
            self.begin_again(who)
        node = self._walk(who, standing.node, answer)
        if node.pause is None:
            self._stand(who, Standing(ended(node.request)))
            return
        waits = self._waits(who, node.pause.waiting)
        standing = self.standings[who]
        if waits is not None or standing.waits is not None:
            self._change(who, node=node, waits=waits, has_slept=True)
        else:  # as above, only faster
            self._stand(who, Standing(node, *standing[1:]))

    def _floors(self, who: int, facts: Facts) -> tuple[int, int, int]:
        play, near_floor = self.play, facts.fresh_floor
        if play.local_ttl:
            near_floor = facts.near_floor(play.scenario.hosts[who], self.now - play.local_ttl)
        return facts.fresh_floor, facts.floor, near_floor

    def _waits(self, who: int, waiting: Waiting | None) -> Waits | None:
        if waiting is None:
            return None
        flight = waiting.flight and self._place(who, (waiting.flight, "_landing"))
        return Waits(self.now + waiting.seconds, flight)

    def _walk(self, who: int | None, node: Node, answer: Hashable) -> Node:
        """Give ``answer``, and whatever is asked for then; return the next pause, or the end."""
        while True:
            known = node.answers.get(answer)
            node = node.tree.learn(node, answer) if known is None else known
            if node.do is None:
                return node
            answer = node.do(self, who, *node.args)

    def _change(self, who: int, **what: Any) -> None:
        self._stand(who, self.standings[who]._replace(**what))

    def _stand(self, who: int, standing: Standing) -> None:
        self.standings[who], self.marks[_WHO + who] = standing, 0

    def _note(self, name: str, facts: Facts) -> None:
        self.facts[name], self.marks[_FACTS] = facts, 0

    # For the cache. Each of these is asked by somebody, or by nobody (None) who plays

    def look(self, who: int | None, key: str) -> bytes | None:
        """Return what is stored and has not expired."""
        found = self.contents.get(key)
        if found is None or not (found[1] is None or found[1] > self.now):
            return None
        return found[0]

    def deadline(self, who: int | None, key: str) -> float | None:
        """Return until when it is stored, None for ever."""
        return self.contents[key][1]

    def expire(self, who: int | None, key: str, deadline: float | None) -> None:
        """Let it be stored until then."""
        self.contents[key] = (self.contents[key][0], deadline)
        self.marks[_CONTENTS], self.has_changed = 0, True

    def store(self, who: int | None, key: str, raw: bytes) -> None:
        """Store it, until the same time as what is there."""
        before = self.look(who, key)
        self.contents[key] = (raw, None if before is None else self.contents[key][1])
        self._wrote(who, key, before, raw)

    def drop(self, who: int | None, key: str) -> bool:
        """Remove it; return whether it was there."""
        before = self.look(who, key)
        self.contents.pop(key, None)
        if before is None:
            return False
        self._wrote(who, key, before, None)
        return True

    def _wrote(self, who: int | None, key: str, before: bytes | None, after: bytes | None) -> None:
        for number, standing in enumerate(self.standings):
            waits = standing.waits
            if waits is not None and waits.flight is None and not waits.is_stirred:
                self._change(number, waits=waits._replace(is_stirred=True))
        self.marks[_CONTENTS], self.has_changed = 0, True
        if key in self.play.entries:
            self.now += TICK
        if who is not None:
            for invariant in self.play.wrote:
                self.note(invariant.name, invariant.wrote(self, who, key, before, after))

    # For the memory of processes

    def recall(self, who: int, place: Hashable) -> Hashable:
        """Return what is kept there in the process of whoever asks, None when nothing is."""
        return self.memory.get(self._place(who, place))

    def keep(self, who: int, place: Hashable, value: Hashable) -> None:
        """Keep ``value`` there."""
        self.marks[_MEMORY] = 0
        if value is None:
            self.memory.pop(self._place(who, place), None)
        else:
            self.memory[self._place(who, place)] = value

    def forget(self, who: int, kind: Hashable) -> None:
        """Keep nothing of that kind any more."""
        self.marks[_MEMORY] = 0
        for host, place in list(self.memory):
            if host == self.play.scenario.hosts[who] and place[0] == kind:
                del self.memory[host, place]

    def _place(self, who: int, place: Hashable) -> tuple[int, Any]:
        return self.play.scenario.hosts[who], place

    # For the actors, and for what they use

    def tell_time(self, who: int | None) -> float:
        """Return the time, a Unix timestamp."""
        return self.now

    def draw(self, who: int | None) -> str:
        """Return another text each time, for tokens of nobody's."""
        self.drawn += 1
        return f"nobody.{self.drawn}"

    def begin_again(self, who: int) -> None:
        """Let it be as if another actor began."""
        standing = self.standings[who]
        floors = tuple(self._floors(who, facts) for facts in self.facts.values())
        self._stand(who, Standing(standing.node, began=self.now, floors=floors))

    def begin_fetch(self, who: int | None, names: tuple[str, ...]) -> tuple[Value, ...]:
        """Be the upstream of a fetch."""
        if who is not None:
            for name in names:
                self._begin_fetch(who, name)
        return tuple(Value(name, "fetch", self.facts[name].upstream, self.now) for name in names)

    def _begin_fetch(self, who: int, name: str) -> None:
        for invariant in self.play.fetch_begins:
            self.note(invariant.name, invariant.fetch_begins(self, who, name))
        facts, standing = self.facts[name], self.standings[who]
        self._note(name, facts._replace(fetches_left=facts.fetches_left - 1))
        self._change(who, fetching=standing.fetching | {name}, fetched=standing.fetched | {name})

    def end_fetch(self, who: int | None, names: tuple[str, ...], has_failed: bool) -> None:
        """Let it have ended."""
        if who is None:
            return
        self._change(who, fetching=self.standings[who].fetching - {*names})
        self._occasion(*(names if has_failed else ()))

    def answer(self, who: int | None, name: str, value: Value | None, status: int) -> None:
        """Judge what a caller of ``get`` is about to be given."""
        if who is not None:
            for invariant in self.play.answered:
                self.note(invariant.name, invariant.answered(self, who, name, value, status))

    def send(self, who: int | None, message: str, key: str, token: str) -> None:
        """Keep a message until it is delivered."""
        self.messages += ((message, token),)
        name = self.play.entries[key]
        facts = self.facts[name]
        if who is not None:
            for invariant in self.play.dispatched:
                self.note(invariant.name, invariant.dispatched(self, who, name))
        self._note(name, facts._replace(dispatches_left=facts.dispatches_left - 1))

    def deliver(self, who: int | None) -> str | None:
        """Return the message whose turn it is, None when there is none."""
        if self.delivered >= len(self.messages):
            return None
        self.delivered += 1
        return self._given(who, self.delivered - 1)

    def deliver_again(self, who: int | None) -> str:
        """Return the first message, which was delivered."""
        return self._given(who, 0)

    def _given(self, who: int | None, number: int) -> str:
        message, token = self.messages[number]
        if who is not None:
            self._change(who, message=token)
        return message

    def ask_by_name(self, who: int, name: str) -> None:
        """Count that somebody fetches whoever else does."""
        facts = self.facts[name]
        self._note(name, facts._replace(fetches_left=facts.fetches_left + 1))

    def disturb(self, who: int, names: tuple[str, ...], by: int) -> None:
        """Let it be known that other people's claims may end from now on (1), or up to now (-1)."""
        for name in names:
            facts = self.facts[name]
            self._note(name, facts._replace(disturbing=facts.disturbing + by))
        if by > 0:
            return
        for number, standing in enumerate(self.standings):
            if not (standing.is_over or standing.node.pause is BEGIN):
                self._change(number, disturbed=standing.disturbed | {*names})

    def move_on(self, who: int, names: tuple[str, ...]) -> tuple[int, ...]:
        """Let the upstream of ``names`` change; return its numbers."""
        self._occasion(*names)
        for name in names:
            facts = self.facts[name]
            self._note(name, facts._replace(upstream=facts.upstream + 1))
        return tuple(self.facts[name].upstream for name in names)

    def begin_set(self, who: int, name: str, number: int) -> float:
        """Let it be known that a value is about to be set; return the time."""
        facts = self.facts[name]
        self._note(name, facts._replace(sets=(*facts.sets, (number, None))))
        return self.now

    def end_set(self, who: int, name: str, number: int) -> None:
        """Let it be known that it was."""
        self.has_changed = True
        facts = self.facts[name]
        ended = tuple((n, facts.upstream if n == number else e) for n, e in facts.sets)
        self._note(name, facts._replace(sets=ended))

    def end_change(
        self, who: int, names: tuple[str, ...], numbers: tuple[int, ...], removes: bool
    ) -> None:
        """Let it be known that a change has ended, after which none may be given what was before.

        :param removes: whether what was before must not be there at all.
        """
        for name, number in zip(names, numbers, strict=True):
            self.has_changed = True
            facts = self.facts[name]
            ended = (self.now, self.play.scenario.hosts[who], number)
            facts = facts._replace(
                fresh_floor=max(facts.fresh_floor, number),
                floor=max(facts.floor, number) if removes else facts.floor,
                ended=(*facts.ended, ended) if self.play.local_ttl else (),
            )
            self._note(name, facts)
