"""How much memory a call takes."""

import tracemalloc
from collections.abc import Callable


def allocated(act: Callable[[], object]) -> float:
    """Return the MB that Python had allocated at most, more than before."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
