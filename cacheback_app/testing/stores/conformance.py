"""All of the contract."""

from .arguments import Arguments
from .async_callers import AsyncCallers
from .conditions import Conditions
from .expiry import Expiry
from .races import Races
from .values import Values


class StoreConformance(Values, Arguments, Conditions, Expiry, Races, AsyncCallers):
    """Subclass it, tell it how to make a store, and pytest does the rest.

    Every test uses keys of its own, so the store needs not be empty.
    """
