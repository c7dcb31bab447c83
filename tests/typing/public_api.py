"""What type checkers make of the public names. Read by mypy, not run."""

from typing import Any, assert_type

from cacheback_app import CachedFunction, Job, cacheback


@cacheback
def bare(username: str, limit: int = 10) -> list[str]:
    return [username] * limit


@cacheback(lifetime="20 minutes", fetch_on_miss=False)
def configured(username: str) -> dict[str, int]:
    return {username: 1}


@cacheback
async def awaited(username: str) -> list[str]:
    return [username]


class Tweets(Job):
    lifetime = "1 hour"

    def fetch(self, username: str) -> list[str]:
        return [username]


assert_type(bare("alice", limit=3), list[str])
assert_type(configured("alice"), dict[str, int])
assert_type(bare.fn("alice"), list[str])
assert_type(Tweets().using(lifetime=5), Tweets)
assert_type(bare.raw_get("alice"), tuple[float, Any] | None)


async def check() -> None:
    assert_type(await awaited("alice"), list[str])
    await bare.ainvalidate("alice", limit=3)
    await bare.ainvalidate(7)  # type: ignore[arg-type]


kept: CachedFunction[..., list[str]] = bare

# The ignored errors are the test: without them mypy reports the comment as unused.
bare(7)  # type: ignore[arg-type]
bare()  # type: ignore[call-arg]
bare("alice", limt=3)  # type: ignore[call-arg]
configured.invalidate(7)  # type: ignore[arg-type]
