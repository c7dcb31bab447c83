"""Calls as canonical tuples."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cacheback_app.engine.signature import binder, parameters


def report(year: int, month: int = 1, *, deep: bool = False) -> None: ...


def everything(a: Any, b: Any = 2, /, c: Any = 3, *args: Any, d: Any, e: Any = 5, **kwargs: Any):
    return (a, b, c, args, d, e, kwargs)


class Tweets:
    def fetch(self, username: str, limit: int = 10) -> None: ...

    def fetch_any(*args: Any, **kwargs: Any) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((1,), {}),
        ((), {"year": 1}),
        ((1, 1), {}),
        ((1,), {"month": 1}),
        ((), {"deep": False, "month": 1, "year": 1}),
    ],
)
def test_equal_calls(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """However a call is written, it is the same tuple, with defaults applied (J13)."""
    assert binder(report)(*args, **kwargs) == (1, 1, False)


def test_every_kind_of_parameter() -> None:
    """``*args`` is one tuple and ``**kwargs`` one dict among the values (J13)."""
    bound = binder(everything)(1, 8, 9, 10, d=4, z=0)
    assert bound == (1, 8, 9, (10,), 4, 5, {"z": 0})


def test_names_match_values() -> None:
    """The names come in the order of the values, so an error can name the argument (J13)."""
    assert parameters(everything) == ("a", "b", "c", "*args", "d", "e", "**kwargs")


def test_signature_is_kept() -> None:
    """The binder takes what the function takes: same names, kinds and defaults (J13)."""
    kept = inspect.signature(binder(everything))
    assert str(kept) == "(a, b=2, /, c=3, *args, d, e=5, **kwargs)"


def test_few_parameters() -> None:
    """A function of one parameter, or of none, has a tuple as well (J13)."""
    assert binder(lambda year: None)(1) == (1,)
    assert binder(lambda: None)() == ()


def test_self_is_left_out() -> None:
    """A job's ``fetch`` is bound without its self (J13)."""
    assert binder(Tweets.fetch, skip_first=True)("alice") == ("alice", 10)
    assert parameters(Tweets.fetch, skip_first=True) == ("username", "limit")
    assert binder(Tweets().fetch)("alice") == ("alice", 10)


def test_self_among_args() -> None:
    """A method that takes its self in ``*args`` keeps its other arguments there (J13)."""
    assert binder(Tweets.fetch_any, skip_first=True)("alice", n=1) == (("alice",), {"n": 1})


@pytest.mark.parametrize(
    ("args", "kwargs", "complaint"),
    [
        ((), {}, r"Tweets\.fetch\(\) missing 1 required positional argument: 'username'"),
        ((1, 2, 3), {}, r"Tweets\.fetch\(\) takes from 1 to 2 positional arguments but 3"),
        ((1,), {"x": 1}, r"Tweets\.fetch\(\) got an unexpected keyword argument 'x'"),
    ],
)
def test_wrong_call(args: tuple[Any, ...], kwargs: dict[str, Any], complaint: str) -> None:
    """A wrong call gets the interpreter's own error, under the function's name (J13)."""
    with pytest.raises(TypeError, match=complaint):
        binder(Tweets.fetch, skip_first=True)(*args, **kwargs)


def test_defaults_are_the_objects_themselves() -> None:
    """A default is passed on, never written as text that is evaluated (J13)."""
    unspeakable = object()

    def fn(a: Any = unspeakable, *, b: Any = unspeakable) -> None: ...

    assert all(value is unspeakable for value in binder(fn)())


def test_names_that_shadow() -> None:
    """Parameters may be called like built-ins, like the function, or ``self`` (J13)."""

    def tuple(self: Any, tuple: Any, args: Any, kwargs: Any, str: Any = 0) -> None: ...

    assert binder(tuple)(1, 2, 3, kwargs=4) == (1, 2, 3, 4, 0)


def test_function_without_a_signature() -> None:
    """A built-in that tells no signature is bound as one that takes anything (J13)."""
    assert binder(max)(1, 2, key=3) == ((1, 2), {"key": 3})
    assert parameters(max) == ("*args", "**kwargs")


def test_partial_and_wrapped_functions() -> None:
    """A partial binds what is left to pass; a wrapper, what the wrapped function takes (J13)."""

    @functools.wraps(report)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert binder(functools.partial(report, month=7))(1) == (1, 7, False)
    assert binder(wrapper)(1) == (1, 1, False)


def test_not_callable() -> None:
    """What cannot be called is refused at once."""
    with pytest.raises(TypeError, match="not a callable"):
        binder(3)  # type: ignore[arg-type]


def outcome(fn: Callable[..., Any], args: list[int], kwargs: dict[str, int]) -> Any:
    try:
        return fn(*args, **kwargs)
    except TypeError as exc:
        return str(exc)


@given(
    args=st.lists(st.integers(), max_size=5),
    kwargs=st.dictionaries(st.sampled_from("abcdefgh"), st.integers()),
)
def test_binds_like_the_interpreter(args: list[int], kwargs: dict[str, int]) -> None:
    """Whatever the call, it is bound, or refused, as the function itself would (J13)."""
    assert outcome(binder(everything), args, kwargs) == outcome(everything, args, kwargs)
