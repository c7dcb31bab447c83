"""Claims as text."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cacheback_app.engine import claims
from cacheback_app.engine.claims import Claim, State


@pytest.mark.parametrize("state", State)
def test_round_trip(state: State) -> None:
    """A claim is read back from its text, to the millisecond (J8)."""
    claim = Claim.new(state, 60)
    read = Claim.parse(str(claim))
    assert read is not None
    assert (read.state, read.token) == (state, claim.token)
    assert read.until == pytest.approx(claim.until, abs=0.001)
    assert read.until == pytest.approx(time.time() + 60, abs=1)


@given(st.text() | st.binary() | st.integers() | st.none() | st.lists(st.text()))
def test_rubbish(rubbish: Any) -> None:
    """Whatever else lies there is no claim, and no error (J11)."""
    claim = Claim.parse(rubbish)
    assert claim is None or str(claim)


@pytest.mark.parametrize("text", ["", "p", "p:a", "q:a:1", "p:a:b", "p:a:1:2", ":::", b"p:a:1"])
def test_almost(text: Any) -> None:
    """Text that is almost a claim is none (J11)."""
    assert Claim.parse(text) is None


def test_moved() -> None:
    """A claim that changes its state keeps its token, and tells its new end (J8)."""
    claim = Claim.new(State.PENDING, 5)
    moved = claim.moved(State.FAILED, 100)
    assert (moved.token, moved.state) == (claim.token, State.FAILED)
    assert moved.until == pytest.approx(time.time() + 100, abs=1)
    assert claim.state is State.PENDING


def test_tokens_differ() -> None:
    """No two claims have one token (J8)."""
    assert len({claims.new_token() for _ in range(10_000)}) == 10_000


def test_keys_differ() -> None:
    """Claim, lease and error of a key have keys of their own (J13)."""
    names = {f("k") for f in (claims.claim_key, claims.lease_key, claims.error_key)}
    assert len(names | {"k"}) == 4
