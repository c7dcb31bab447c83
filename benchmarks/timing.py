"""Timing several ways of doing one thing in interleaved rounds.

Noise of the machine comes and goes over seconds. A round measures every contender within
milliseconds of the others, so a ratio is taken within each round, and the median over the rounds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from timeit import Timer

Block = Callable[[int], float]
"""Does a thing so many times and returns the seconds that it took."""


def calls(statement: str, **names: object) -> Block:
    """Return a block that executes ``statement``, which sees ``names``."""
    return Timer(statement, globals=names).timeit


def awaited(loop: asyncio.AbstractEventLoop, make: Callable[[], Awaitable[object]]) -> Block:
    """Return a block that awaits what ``make`` returns, in a loop that already runs for it."""

    async def repeat(number: int) -> float:
        began = perf_counter()
        for _ in range(number):
            await make()
        return perf_counter() - began

    return lambda number: loop.run_until_complete(repeat(number))


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, their quartiles, and the least of them."""

    median: float
    low: float
    high: float
    least: float

    @classmethod
    def of(cls, numbers: list[float]) -> "Spread":
        """Return the spread of at least two numbers."""
        low, _, high = quantiles(numbers, n=4)
        return cls(median(numbers), low, high, min(numbers))


@dataclass(frozen=True)
class Samples:
    """Seconds that one call took, one sample a round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return median(self.seconds)

    def over(self, floor: "Samples") -> Spread:
        """Return how many times longer it took than ``floor`` in the same round.

        ``least`` is the quotient of the least times: what is left when nothing disturbs.
        """
        pairs = zip(self.seconds, floor.seconds, strict=True)
        spread = Spread.of([mine / other for mine, other in pairs])
        least = min(self.seconds) / min(floor.seconds)
        return Spread(spread.median, spread.low, spread.high, least)


def interleaved(
    blocks: Mapping[str, Block],
    *,
    number: int,
    rounds: int,
    between: Callable[[], object] = lambda: None,
) -> dict[str, Samples]:
    """Time ``number`` calls of each of ``blocks`` in each of ``rounds`` rounds.

    :param between: is called before each block, outside of its time.
    """
    for block in blocks.values():  # connections, imports, memories
        block(number)
    seconds: dict[str, list[float]] = {name: [] for name in blocks}
    names = list(blocks)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            between()
            seconds[name].append(blocks[name](number) / number)
    return {name: Samples(numbers) for name, numbers in seconds.items()}
