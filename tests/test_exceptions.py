"""The errors of this package."""

import copy
import inspect
import pickle

import pytest

from cacheback_app import exceptions
from cacheback_app.exceptions import (
    AccessException,
    CachebackError,
    ContainerAlreadyConfigured,
    InvalidResponse,
    NotFound,
    UnknownField,
)

ERRORS = [
    AccessException("no answer", pk="a", sk="b"),
    ContainerAlreadyConfigured("greeting"),
    InvalidResponse("GET /1", int, (("3.start", "no date"), ("name", "missing")), 200),
    NotFound("greeting", "Peter"),
    UnknownField("nope", int),
    *(
        kind("text")
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, CachebackError) and "__init__" not in vars(kind)
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_cross_processes(error: CachebackError) -> None:
    """An error that was pickled or copied is what it was, with its attributes (S1, C1, R6)."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
